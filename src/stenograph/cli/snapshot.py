"""`steno snapshot`: have a table read again, exactly, while its changes go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from stenograph import assembly
from stenograph.assembly import Rereading, RereadingState
from stenograph.cli.exits import Exit
from stenograph.cli.options import JsonOption, PipelineOption, out, pipeline_of, print_json

_LOOK_SECONDS = 0.25
_PATIENCE_SECONDS = 15.0
"""How long a capture that was killed may take to be started again by `steno run`."""
_FIRST_SECONDS = 5.0
"""The same for one that has not been seen yet."""


def snapshot(
    table: Annotated[str, typer.Argument(help="A model, a history table or a source table.")],
    pipeline: PipelineOption = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Ask for it, and do not wait for it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Read one table again: exact, without locks, while its changes go on being captured.

    The running capture does it, or the next one to start. Waits until the rows are in the log.

    Exit codes: 0 they are (with --no-wait: it is asked for), 3 it is asked for, and no capture runs.

    For example:

      steno snapshot lead

      steno snapshot public.invoice -p crm --no-wait --json
    """
    began = time.monotonic()
    with assembly.rereading(pipeline_of(pipeline), table) as rereading:
        rereading.make()
        if no_wait:
            state = rereading.look()
        elif as_json:
            state = _followed(rereading, lambda _: None)
        else:
            with Console(stderr=True, highlight=False).status("waiting for capture") as spinner:
                state = _followed(rereading, spinner.update)
        if as_json:
            print_json(
                {
                    "ok": state.is_done or no_wait,
                    "table": str(rereading.plan.table),
                    "history": rereading.plan.history,
                    "request": str(rereading.request.id),
                    "state": "done" if state.is_done else "taken up" if state.is_taken_up else "asked for",
                    "capture": state.capture,
                    "error": state.error,
                    "seconds": round(time.monotonic() - began, 1),
                }
            )
        else:
            out().print(_told(rereading, state, time.monotonic() - began), markup=False)
    raise typer.Exit(Exit.DONE if state.is_done or no_wait else Exit.BEHIND)


def _followed(rereading: Rereading, tell: Callable[[str], None]) -> RereadingState:
    """Look until it is done, or until no capture runs any more."""
    state = rereading.look()
    until = time.monotonic() + _FIRST_SECONDS
    while not state.is_done and (state.capture is not None or time.monotonic() < until):
        if state.capture is not None:
            until = time.monotonic() + _PATIENCE_SECONDS
        tell(_now(rereading, state))
        time.sleep(_LOOK_SECONDS)
        state = rereading.look()
    return state


def _now(rereading: Rereading, state: RereadingState) -> str:
    if state.progress is not None:
        return f"reading {state.progress}"
    if state.error is not None:
        return f"capture waits: {state.error}"
    if state.is_taken_up:
        return f"reading {rereading.plan.table}: waiting for the transactions that run now, and for the log"
    return "waiting for capture to take it up"


def _told(rereading: Rereading, state: RereadingState, seconds: float) -> str:
    table = rereading.plan.table
    if state.is_done:
        return f"{table} was read again in {seconds:.1f} s; its rows are in the log."
    if state.capture is not None:
        return f"{table} is asked for; the running capture (pid {state.capture}) reads it."
    why = "" if state.error is None else f" Its last one ended with: {state.error}"
    return f"{table} is asked for. No capture runs: the next one to start reads it.{why}"
