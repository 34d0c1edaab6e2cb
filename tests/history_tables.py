"""History tables in an in-memory DuckDB with their views, filled with rows as the sink stores them.

Opens no file and runs no sink: the place and the clock of every row are the test's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from stenograph.history import OWN_COLUMNS, RECORDED_AT, arrow_schema, arrow_type
from stenograph.offsets import order_of
from stenograph.schemas import TableShape
from stenograph.warehouses.duckdb.column_types import sql_type
from stenograph.warehouses.duckdb.views import newest_statement, statements_for

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
Row = Mapping[str, object]
Answered = list[dict[str, object]]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def order(commit: int, change: int = 0, ordinal: int = 0, run: int = 1) -> str:
    return order_of(run, commit, change, ordinal).hex()


@dataclass(slots=True)
class HistoryTable:
    """One history table and its views."""

    shape: TableShape
    name: str = "lead_history"
    connection: duckdb.DuckDBPyConnection = field(default_factory=lambda: duckdb.connect(":memory:"))

    def __post_init__(self) -> None:
        self.connection.execute("SET TimeZone = 'UTC'; SET threads = 1")
        columns = ", ".join(
            f"{quoted(column.name)} {sql_type(column.type)}"
            for column in (*self.shape.columns, *OWN_COLUMNS, RECORDED_AT)
        )
        self.connection.execute(f"CREATE TABLE {quoted(self.name)} ({columns})")
        for statement in statements_for(self.name, self.shape, ()):
            self.connection.execute(statement)

    def fill(self, rows: Sequence[Row]) -> None:
        """Make these the only rows; columns that are not named are null."""
        schema = arrow_schema(self.shape).append(pa.field(RECORDED_AT.name, arrow_type(RECORDED_AT.type)))
        empty: dict[str, object] = dict.fromkeys(schema.names)
        table = pa.Table.from_pylist([empty | dict(row) for row in rows], schema=schema)
        self.connection.execute(f"DELETE FROM {quoted(self.name)}")
        self.connection.register("arriving", table)
        self.connection.execute(f"INSERT INTO {quoted(self.name)} SELECT * FROM arriving")
        self.connection.unregister("arriving")

    def ask(self, sql: str, *parameters: object) -> Answered:
        result = self.connection.execute(sql, list(parameters))
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, map(_in_utc, row), strict=True)) for row in result.fetchall()]

    def current(self) -> Answered:
        return self.ask("FROM lead_current")

    def versions(self) -> Answered:
        return self.ask("FROM lead_versions")

    def as_of(self, at: datetime) -> Answered:
        return self.ask("FROM lead_as_of(?)", at)

    def newest(self, source: str, below: str) -> Answered:
        return self.ask(newest_statement(self.name, self.shape), source, below)


def _in_utc(value: object) -> object:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
