"""The DuckDB warehouse: rows and ledger in one file, moved by one transaction.

Creates no thread and keeps no state but the file's connection: the ledger is the file's.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

import duckdb
import pyarrow as pa

from stenograph.errors import LedgerMoved, WarehouseRefused
from stenograph.history import HistoryBatch
from stenograph.offsets import Assignment, LaneMark, Mark, Partition
from stenograph.ports import Planned
from stenograph.schemas import SchemaChange, TableShape
from stenograph.warehouses.duckdb import flush
from stenograph.warehouses.duckdb.catalogue import make, planned, shape_of
from stenograph.warehouses.duckdb.connection import Connect, WriterTurn, connect
from stenograph.warehouses.duckdb.failures import failures, is_conflict
from stenograph.warehouses.duckdb.settings import DuckDBSettings
from stenograph.warehouses.duckdb.statements import affected, quoted, run, statement

_CONFLICT_PATIENCE_SECONDS: Final = 10.0
_CONFLICT_RETRY_SECONDS: Final = (0.002, 0.05)

T = TypeVar("T")


class DuckDBWarehouse:
    """`Warehouse` over one file, which is opened at the first call and given back by `close`.

    Trap: while it is open, other processes wait; call `close` when there is nothing to store.
    """

    def __init__(self, path: Path, settings: DuckDBSettings, connect: Connect = connect) -> None:
        # One file under two names would be opened twice by one process, which its lock does not forbid.
        self._path = path.resolve()
        self._turn = WriterTurn(self._path, settings.memory_limit, connect)

    def claim(self, owner: str, partitions: Mapping[Partition, Assignment]) -> Mapping[Partition, Mark]:
        """Take the fence of all these partitions at once; see `Warehouse.claim`."""
        if not partitions:
            return {}
        with failures(self._path):
            return _again(lambda: self._claim(owner, partitions))

    def shape(self, table: str) -> TableShape | None:
        """The history table's source columns and key; None if there is no such table."""
        with failures(self._path), self._transaction({}) as connection:
            return shape_of(connection, table)

    def planned(self, change: SchemaChange) -> Planned:
        """What `evolve` would run; see `WarehousePlan.planned`."""
        with failures(self._path), self._transaction({}) as connection:
            return planned(connection, change)

    def evolve(self, change: SchemaChange) -> None:
        """Make the table, its columns and views exist, in one transaction; see `Warehouse.evolve`.

        Raise SchemaConflict, WarehouseRefused or WarehouseUnavailable.
        """
        with failures(self._path):
            _again(lambda: self._evolve(change))

    def append(self, batch: HistoryBatch) -> None:
        """Store the batch and move the ledger over its spans: all or nothing; see `Warehouse.append`.

        Raise LedgerMoved, WarehouseUnavailable, WarehouseRefused, or ValueOutOfRange for a value that does not fit.
        """
        spans = flush.moved(batch)
        with failures(self._path):
            try:
                self._append(batch, spans)
            except duckdb.Error as conflict:
                # DuckDB says the same of a lost fence and of a passing conflict; the ledger tells them apart.
                if is_conflict(conflict) and self._lost(spans):
                    raise _ledger_moved(batch) from conflict
                raise

    def close(self) -> None:
        """Give the file back; the next call opens it again."""
        with failures(self._path):
            self._turn.close()

    @contextmanager
    def _transaction(self, tables: Mapping[str, pa.Table]) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = self._turn.take()
        try:
            for name, table in tables.items():
                connection.register(name, table)
            run(connection, "BEGIN")
            yield connection
            run(connection, "COMMIT")
            for name in tables:
                connection.unregister(name)
        except BaseException:
            # After an error COMMIT would say yes and store nothing, and a failed COMMIT may have stored everything:
            # roll back, and look at the file with another connection.
            with suppress(duckdb.Error):
                run(connection, "ROLLBACK")
            with suppress(duckdb.Error):
                self._turn.close()
            raise
        self._turn.rest()

    def _claim(self, owner: str, partitions: Mapping[Partition, Assignment]) -> dict[Partition, Mark]:
        with self._transaction({"_steno_claimed": flush.claimed(owner, partitions)}) as connection:
            for topic, stored, now in run(connection, statement("ledger", "other_counts")):
                raise WarehouseRefused(
                    "A topic has another number of partitions than when its history began.",
                    hint="Keys would change partition: give the topic its old count, or begin a new history.",
                    topic=topic,
                    stored=stored,
                    now=now,
                )
            run(connection, statement("ledger", "first_sight"))
            count = affected(connection, statement("ledger", "claim"))
            if count != len(partitions):
                raise RuntimeError(f"A claim of {len(partitions)} partitions changed {count} rows.")
            lanes = connection.sql(statement("ledger", "lanes")).to_arrow_table()
            marks = connection.sql(statement("ledger", "marks")).to_arrow_table()
        return _marks(marks, lanes)

    def _evolve(self, change: SchemaChange) -> None:
        with self._transaction({}) as connection:
            make(connection, change)

    def _append(self, batch: HistoryBatch, spans: pa.Table) -> None:
        tables = {"_steno_moved": spans}
        if batch.rows.num_rows:
            tables["_steno_rows"] = batch.rows
        if batch.lanes:
            tables["_steno_marks"] = flush.marks(batch)
        if batch.quarantined:
            tables["_steno_set_aside"] = flush.set_aside(batch)
        if batch.gaps:
            tables["_steno_missing"] = flush.missing(batch)
        # Invariant 5: rows, lanes, spans, quarantine and ledger move in this one transaction.
        with self._transaction(tables) as connection:
            if "_steno_rows" in tables:
                stored = affected(connection, statement("append", "rows", table=quoted(batch.table)))
                if stored != batch.rows.num_rows:
                    raise RuntimeError(f"DuckDB stored {stored} of {batch.rows.num_rows} rows.")
            if "_steno_marks" in tables:
                run(connection, statement("append", "lanes"))
            run(connection, statement("append", "spans"))
            if "_steno_set_aside" in tables:
                run(connection, statement("append", "quarantine"))
            if "_steno_missing" in tables:
                run(connection, statement("append", "gaps"))
            # Invariant 6: the ledger moves only from where this writer's claim left it, in every partition or in none.
            if affected(connection, statement("ledger", "move")) != len(batch.spans):
                raise _ledger_moved(batch)

    def _lost(self, spans: pa.Table) -> bool:
        with self._transaction({"_steno_moved": spans}) as connection:
            return run(connection, statement("ledger", "lost")) != [(0,)]


def _again(step: Callable[[], T]) -> T:
    """Run a step that is safe to repeat until no other transaction is faster, for at most about ten seconds."""
    deadline = time.monotonic() + _CONFLICT_PATIENCE_SECONDS
    while True:
        try:
            return step()
        except duckdb.Error as error:
            if not is_conflict(error) or time.monotonic() >= deadline:
                raise
        time.sleep(random.uniform(*_CONFLICT_RETRY_SECONDS))


def _ledger_moved(batch: HistoryBatch) -> LedgerMoved:
    return LedgerMoved(
        "Another writer has claimed these partitions since; nothing of this batch was stored.",
        hint="Nothing to do after a rebalance. If it goes on, two sinks share one history: stop one.",
        table=batch.table,
        partitions=", ".join(f"{span.partition} from {span.start}" for span in batch.spans),
    )


def _marks(marks: pa.Table, lanes: pa.Table) -> dict[Partition, Mark]:
    by_partition: dict[Partition, dict[str, LaneMark]] = {}
    instants = lanes.column("committed_at").cast(pa.int64())
    for row, committed_at in zip(lanes.drop_columns(["committed_at"]).to_pylist(), instants, strict=True):
        partition = Partition(row["topic"], row["log_partition"])
        mark = LaneMark(bytes.fromhex(row["high_water"]), committed_at.as_py())
        by_partition.setdefault(partition, {})[row["lane"]] = mark
    found = {}
    for row in marks.to_pylist():
        partition = Partition(row["topic"], row["log_partition"])
        found[partition] = Mark(row["next_offset"], row["fence"], by_partition.get(partition, {}))
    return found
