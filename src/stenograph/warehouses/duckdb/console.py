"""Questions in DuckDB's own SQL, one statement at a time.

Refuses whatever is not a query: nothing in the file, and no other file, changes by asking.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import duckdb

from stenograph.errors import WarehouseRefused
from stenograph.ports import Answer
from stenograph.schemas import TableShape
from stenograph.warehouses.duckdb.catalogue import shapes_of
from stenograph.warehouses.duckdb.connection import Connect, connect, reading
from stenograph.warehouses.duckdb.failures import failure, failures

_EXPLAIN: Final = re.compile(r"\s*EXPLAIN\s+(ANALYZE\s+)?", re.IGNORECASE)

_ONE_SELECT: Final = "Ask with one SELECT; history is changed by the sink alone."


class DuckDBConsole:
    """`QueryConsole` over one file, which is held only while a statement runs.

    Raise WarehouseUnavailable if a writer holds the file for ten seconds.
    """

    def __init__(self, path: Path, connect: Connect = connect) -> None:
        self._path = path.resolve()
        self._connect = connect

    def query(self, sql: str, parameters: Sequence[object] = ()) -> Answer:
        """Run one statement that only reads; raise WarehouseRefused with DuckDB's own words otherwise."""
        _must_only_read(sql)
        with failures(self._path), reading(self._path, self._connect) as connection:
            if connection is None:
                raise WarehouseRefused(
                    "There is no history yet.",
                    hint="Start the pipeline first: `steno run`.",
                    path=self._path,
                )
            try:
                rows = connection.sql(sql, params=list(parameters)).to_arrow_table()
            except duckdb.Error as error:
                raise _answer(error, self._path) from error
        return Answer(tuple(rows.column_names), rows)

    def shapes(self) -> Mapping[str, TableShape]:
        """The history tables there are; none before the first append."""
        with failures(self._path), reading(self._path, self._connect) as connection:
            return {} if connection is None else shapes_of(connection)


def _must_only_read(sql: str) -> None:
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise _refused(str(error), "Correct the statement.") from error
    if len(statements) != 1:
        raise _refused(f"One statement is asked for, not {len(statements)}.")
    kind = statements[0].type
    if kind is duckdb.StatementType.EXPLAIN and (explain := _EXPLAIN.match(sql)):
        # EXPLAIN ANALYZE runs what it explains, and COPY writes files even in a transaction that only reads.
        _must_only_read(sql[explain.end() :])
    elif kind is not duckdb.StatementType.SELECT:
        raise _refused(f"{kind.name} is not a query.")


def _answer(error: duckdb.Error, path: Path) -> Exception:
    match error:
        case duckdb.OutOfMemoryException() | duckdb.FatalException():
            return failure(error, path) or error
        case duckdb.CatalogException():
            return _refused(str(error), "Correct the name; SHOW TABLES lists the tables and views there are.")
        case _:
            return _refused(str(error), "Correct the statement.")


def _refused(words: str, hint: str = _ONE_SELECT) -> WarehouseRefused:
    return WarehouseRefused(f"The warehouse refuses the statement: {words}", hint=hint)
