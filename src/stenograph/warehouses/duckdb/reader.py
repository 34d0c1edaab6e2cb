"""A DuckDB history as verify, status and the timeline read it.

Holds the file only inside a call, so that it never stands in the sink's way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from stenograph.errors import WarehouseRefused
from stenograph.history import OWN_COLUMNS, RECORDED_AT, arrow_type
from stenograph.offsets import Partition, Span
from stenograph.ports import LedgerEntry, SetAside, StoredGap, StoredSpan
from stenograph.schemas import Column, TableShape
from stenograph.warehouses.duckdb.catalogue import shape_of
from stenograph.warehouses.duckdb.column_types import exported
from stenograph.warehouses.duckdb.connection import Connect, connect, reading
from stenograph.warehouses.duckdb.failures import failures
from stenograph.warehouses.duckdb.statements import quoted, statement
from stenograph.warehouses.duckdb.views import newest_statement


class DuckDBHistoryReader:
    """`HistoryReader` over one file. A file that is not there yet reads as an empty history.

    Raise WarehouseUnavailable if a writer holds the file for ten seconds, WarehouseRefused if it is not ours.
    """

    def __init__(self, path: Path, connect: Connect = connect) -> None:
        self._path = path.resolve()
        self._connect = connect

    def ledger(self) -> Mapping[Partition, LedgerEntry]:
        """Every partition that was ever claimed."""
        entries = {}
        for row in self._ask(statement("ledger", "entries")):
            entries[Partition(row["topic"], row["log_partition"])] = LedgerEntry(
                generation=row["log_generation"],
                next_offset=row["next_offset"],
                fence=row["fence"],
                owner=row["owner"],
                recorded_at=row["recorded_at"],
            )
        return entries

    def spans(self) -> Sequence[StoredSpan]:
        """All spans, by partition, generation and start."""
        return [
            StoredSpan(
                row["history_table"],
                Span(
                    partition=Partition(row["topic"], row["log_partition"]),
                    generation=row["log_generation"],
                    start=row["start"],
                    stop=row["stop"],
                    read=row["read"],
                    stored=row["stored"],
                    duplicate=row["duplicate"],
                    filtered=row["filtered"],
                    quarantined=row["quarantined"],
                    digest=row["digest"],
                ),
                row["recorded_at"],
            )
            for row in self._ask(statement("reading", "spans"))
        ]

    def rows(self, table: str, partition: Partition, generation: str, start: int, stop: int) -> pa.Table:
        """History rows of that stretch of the log, by offset; raise WarehouseRefused if there is no such table."""
        with failures(self._path), reading(self._path, self._connect) as connection:
            shape = self._shape(connection, table)
            columns = (*shape.columns, *OWN_COLUMNS, RECORDED_AT)
            sql = statement("reading", "rows", table=quoted(table), columns=_items(columns))
            parameters = [partition.topic, partition.number, generation, start, stop]
            return _fetched(connection, sql, parameters, columns)

    def newest(self, table: str, source: str, below: bytes) -> pa.Table:
        """The source's rows that exist after every change below that order; see `HistoryReader.newest`."""
        with failures(self._path), reading(self._path, self._connect) as connection:
            shape = self._shape(connection, table)
            newest = newest_statement(table, shape).strip().removesuffix(";")
            sql = statement("reading", "newest", newest=newest, columns=_items(shape.columns))
            return _fetched(connection, sql, [source, below.hex()], shape.columns)

    def incidents(self) -> tuple[Sequence[SetAside], Sequence[StoredGap]]:
        """Quarantined records and gaps, of one committed state."""
        with failures(self._path), reading(self._path, self._connect) as connection:
            if connection is None:
                return (), ()
            quarantine = connection.sql(statement("reading", "quarantine")).to_arrow_table().to_pylist()
            gaps = connection.sql(statement("reading", "gaps")).to_arrow_table().to_pylist()
        return (
            [
                SetAside(
                    table=row["history_table"],
                    partition=Partition(row["topic"], row["log_partition"]),
                    generation=row["log_generation"],
                    offset=row["log_offset"],
                    key=row["key"],
                    error=row["error"],
                    reason=row["reason"],
                    state=row["state"],
                )
                for row in quarantine
            ],
            [
                StoredGap(
                    source=row["source"],
                    table=row["table_name"],
                    after=row["after"],
                    before=row["before"],
                    cause=row["cause"],
                    repaired_by=row["repaired_by"],
                    recorded_at=row["recorded_at"],
                )
                for row in gaps
            ],
        )

    def _ask(self, sql: str) -> list[dict[str, Any]]:
        with failures(self._path), reading(self._path, self._connect) as connection:
            if connection is None:
                return []
            found: pa.Table = connection.sql(sql).to_arrow_table()
        return found.to_pylist()

    def _shape(self, connection: duckdb.DuckDBPyConnection | None, table: str) -> TableShape:
        shape = None if connection is None else shape_of(connection, table)
        if shape is None:
            raise WarehouseRefused(
                "There is no history table of that name.",
                hint="Run the sink first, or ask `steno status` which tables there are.",
                path=self._path,
                table=table,
            )
        return shape


def _items(columns: Sequence[Column]) -> str:
    return ", ".join(exported(column.name, column.type) for column in columns)


def _fetched(
    connection: duckdb.DuckDBPyConnection | None,
    sql: str,
    parameters: Sequence[object],
    columns: Sequence[Column],
) -> pa.Table:
    schema = pa.schema([pa.field(column.name, arrow_type(column.type)) for column in columns])
    if connection is None:
        return schema.empty_table()
    found: pa.Table = connection.sql(sql, params=list(parameters)).to_arrow_table()
    return found.cast(schema)
