"""The warehouse's SQL, by file and name, from `warehouse_ddl/duckdb`.

Composes no SQL of its own: it quotes identifiers and runs what the files say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import duckdb

from stenograph.resources import bundled

_SECTION = re.compile(r"^(?:-- (?!name: )[^\n]*\n)*-- name: (\S+)\s*$", re.MULTILINE)
"""A statement's name, with the sentences on top of it: they are no part of the statement before."""


def quoted(name: str) -> str:
    """The name as an SQL identifier, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def statement(file: str, name: str, **identifiers: str) -> str:
    """The statement of that name in `<file>.sql`, with each `{placeholder}` replaced.

    The values must be quoted already; KeyError for a name that the file does not have.
    """
    text = _sections(file)[name]
    for placeholder, sql in identifiers.items():
        text = text.replace("{" + placeholder + "}", sql)
    return text


def run(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object] = ()
) -> list[tuple[object, ...]]:
    """Run the statement and fetch its result to the end: an unfinished one would refuse the next.

    For a statement that changes rows, the result is one row with their number. Raise `duckdb.Error`.
    """
    rows: list[tuple[object, ...]] = connection.execute(sql, list(parameters)).fetchall()
    return rows


def affected(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object] = ()) -> int:
    """Run a statement that changes rows and return how many it changed. Raise `duckdb.Error`."""
    count = run(connection, sql, parameters)[0][0]
    if not isinstance(count, int):
        raise TypeError("The statement changes no rows.")
    return count


@cache
def _sections(file: str) -> dict[str, str]:
    text = (bundled("warehouse_ddl") / "duckdb" / f"{file}.sql").read_text(encoding="utf-8")
    _, *parts = _SECTION.split(text)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
