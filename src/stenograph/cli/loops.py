"""`steno capture`, `steno sink` and `steno run`."""

from __future__ import annotations

import sys
from typing import Annotated

import structlog
import typer

from stenograph.assembly import Start, Wiring, capture_loop, sink_loop
from stenograph.cli.exits import exit_of
from stenograph.cli.logging import LogLines, configure
from stenograph.cli.options import PipelineOption, pipeline_of
from stenograph.errors import StenographError
from stenograph.supervisor import Children, Loop, Stop, supervise

WithParent = Annotated[
    bool, typer.Option("--with-parent", hidden=True, help="Stop when standard input closes.")
]


def capture(
    pipeline: PipelineOption = None,
    anew: Annotated[
        bool,
        typer.Option(
            "--anew",
            help="Begin a new run: drop the old slot and read every table again. "
            "Changes since the last stored position are lost to history.",
        ),
    ] = False,
    with_parent: WithParent = False,
) -> None:
    """Move committed changes from the source into the log, until stopped.

    SIGTERM or Ctrl-C ends it after the current step.

    For example:

      steno capture

      steno capture -p crm

      steno capture -p crm --anew
    """
    wiring = Wiring.of(pipeline_of(pipeline))
    stop = _stop(with_parent)
    with capture_loop(wiring, Start.ANEW if anew else Start.RESUME) as (loop, run):
        _supervised(LogLines(wiring.pipeline.name, run, loop.reading), loop, stop)


def sink(pipeline: PipelineOption = None, with_parent: WithParent = False) -> None:
    """Move change events from the log into history tables, until stopped.

    SIGTERM or Ctrl-C ends it after the current step.

    For example:

      steno sink

      steno sink -p crm
    """
    wiring = Wiring.of(pipeline_of(pipeline))
    stop = _stop(with_parent)
    with sink_loop(wiring) as (loop, run):
        _supervised(LogLines(wiring.pipeline.name, run), loop, stop)


def run(pipeline: PipelineOption = None) -> None:
    """Run capture and sink together, each in a process of its own, until stopped.

    One that is killed is started again; one that ends with an error ends both.

    For example:

      steno run

      steno run -p crm
    """
    chosen = pipeline_of(pipeline)
    configure()
    log = structlog.get_logger().bind(pipeline=chosen.name)
    command = [sys.executable, "-m", "stenograph.cli"]
    commands = {
        name: [*command, name, "--pipeline", str(chosen.file), "--with-parent"]
        for name in ("capture", "sink")
    }

    def killed(name: str, pid: int, signal: int) -> None:
        log.warning("killed; starting it again", loop=name, pid=pid, signal=signal)

    stop = Stop()
    stop.on_signals()
    raise typer.Exit(Children(commands, killed).run(stop))


def _stop(with_parent: bool) -> Stop:
    configure()
    stop = Stop()
    stop.on_signals()
    if with_parent:
        stop.when_stdin_closes()
    return stop


def _supervised(lines: LogLines, loop: Loop, stop: Stop) -> None:
    try:
        supervise(loop, stop, lines)
    except StenographError as error:
        # A service's log is where its last error is looked for, in the form of its other lines.
        lines.failed(error)
        raise typer.Exit(exit_of(error)) from error
    lines.stopped()
