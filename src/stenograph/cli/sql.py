"""`steno sql`: the history, asked in the warehouse's own SQL.

Holds the warehouse only while a statement runs: a prompt left open never stops the sink.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from stenograph import assembly
from stenograph.cli.exits import show
from stenograph.cli.options import JsonOption, PipelineOption, out, pipeline_of, print_json
from stenograph.errors import StenographError
from stenograph.ports import Answer, QueryConsole

_MOST = 1_000
"""Rows shown to a person; programs get them all."""


def sql(
    statement: Annotated[
        str | None, typer.Argument(help="One statement; without it, a prompt, or standard input.")
    ] = None,
    pipeline: PipelineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the history in SQL. Reads only.

    Examples:

      steno sql "SELECT status, count(*) FROM lead_current GROUP BY ALL"

      steno sql "SELECT * FROM lead_as_of(TIMESTAMPTZ '2026-03-03')" --json

      steno sql
    """
    console = assembly.console(pipeline_of(pipeline))
    if statement is not None:
        _answer(console, statement, as_json)
    elif not sys.stdin.isatty():
        _answer(console, sys.stdin.read(), as_json)
    else:
        _prompt(console)


def _prompt(console: QueryConsole) -> None:
    out().print("One statement at a time, ended by a semicolon. Ctrl-D leaves.", style="dim")
    tables = ", ".join(console.shapes()) or "none yet"
    out().print(f"History tables: {tables}", style="dim")
    pending = ""
    while True:
        try:
            line = input("steno> " if not pending else "    -> ")
        except (EOFError, KeyboardInterrupt):
            out().print()
            return
        pending = f"{pending}\n{line}".strip()
        if not pending.endswith(";"):
            continue
        statement, pending = pending.rstrip(";"), ""
        if statement.strip():
            try:
                _answer(console, statement, as_json=False)
            except StenographError as error:
                # At a prompt an error is an answer; the session goes on.
                show(error)


def _answer(console: QueryConsole, statement: str, as_json: bool) -> None:
    answer = console.query(statement)
    if as_json:
        print_json(answer.rows.to_pylist())
        return
    out().print(_table(answer))


def _table(answer: Answer) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in answer.columns:
        table.add_column(name)
    rows = answer.rows.slice(0, _MOST)
    for row in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        table.add_row(*(Text("∅", style="dim") if value is None else Text(str(value)) for value in row))
    if answer.rows.num_rows > _MOST:
        table.caption = f"the first {_MOST:,} of {answer.rows.num_rows:,} rows; --json gives all"
    return table
