"""`steno sql`: the history, asked in the warehouse's own SQL.

Holds the warehouse only while a statement runs: a prompt left open never stops the sink.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import pyarrow as pa
import typer
from rich.table import Table
from rich.text import Text

from stenograph import assembly
from stenograph.cli.exits import show
from stenograph.cli.options import JsonOption, PipelineOption, out, pipeline_of, print_json
from stenograph.envelope.json_text import json_text
from stenograph.errors import StenographError
from stenograph.ports import QueryConsole
from stenograph.schemas import ColumnType, Kind

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

    For example:

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
        cells = zip(*(_values(column) for column in answer.rows.columns), strict=True)
        print_json([dict(zip(answer.columns, row, strict=True)) for row in cells])
        return
    shown = out()
    rows = [
        [_text(value) for value in row]
        for row in zip(*(_values(column) for column in answer.rows.slice(0, _MOST).columns), strict=True)
    ]
    # A row that does not fit would be cut: it is shown as a list of its columns instead.
    shown.print((_table if _width(answer.columns, rows) <= shown.width else _lists)(answer.columns, rows))
    if answer.rows.num_rows > _MOST:
        said = f"the first {_MOST:,} of {answer.rows.num_rows:,} rows; --json gives all"
        shown.print(Text(said, style="dim"))


def _values(column: pa.ChunkedArray[Any]) -> list[object]:
    """The column's values; as text where Python's calendar, which ends at year 9999, cannot hold one."""
    try:
        return column.to_pylist()
    except OverflowError:
        day = pa.types.is_date(column.type)
        zoned = pa.types.is_timestamp(column.type) and column.type.tz is not None
        of = ColumnType(Kind.DATE if day else Kind.TIMESTAMPTZ if zoned else Kind.TIMESTAMP)
        whole = column.cast(pa.date32() if day else pa.timestamp("us", column.type.tz))
        numbers = whole.cast(pa.int32() if day else pa.int64()).to_pylist()
        return [None if number is None else json.loads(json_text(number, of)) for number in numbers]


def _width(names: Sequence[str], rows: Sequence[Sequence[Text]]) -> int:
    """What a table of all this takes, two cells between its columns."""
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    widest = [
        max(len(name), *(cell.cell_len for cell in cells), 0)
        for name, cells in zip(names, columns, strict=True)
    ]
    return int(sum(widest)) + 2 * len(widest)


def _table(names: Sequence[str], rows: Sequence[Sequence[Text]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _lists(names: Sequence[str], rows: Sequence[Sequence[Text]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", overflow="fold")
    table.add_column(overflow="fold")
    for number, row in enumerate(rows, start=1):
        table.add_row(Text(f"row {number}", style="bold"), "")
        for name, value in zip(names, row, strict=True):
            table.add_row(name, value)
    return table


def _text(value: object) -> Text:
    match value:
        case None:
            return Text("∅", style="dim")
        case bytes():
            return Text(value.hex())
        case _:
            return Text(str(value))
