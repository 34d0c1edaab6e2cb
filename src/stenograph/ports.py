"""The protocols between the engine and the outside world: sources, logs, registries, warehouses.

Each says what is promised, then what to be careful of. A contract suite of the same name in tests/contract runs
against every adapter. Nothing here imports a driver. The file is long and still one thing: what crosses a border
is read in one place.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import pyarrow as pa

from stenograph.events import TableId
from stenograph.history import HistoryBatch
from stenograph.offsets import Assignment, Mark, Partition, Position, Span
from stenograph.schemas import SchemaChange, SchemaId, TablePlan, TableShape

Headers = tuple[tuple[str, bytes], ...]
"""A record's headers beside lane and order, in the order in which they were written."""


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Encoded change events of one lane, as parallel sequences: no object per row.

    `timestamps` are milliseconds since 1970 UTC. `upto` is where the source resumes once these records are
    durable: after the last commit in the batch, and what follows that is sent again; None where no commit moves
    it. A batch may hold no record and still move
    the position. A record without a key has None there; a tombstone has None as its value.
    """

    source: str
    lane: str
    topics: Sequence[str] = ()
    keys: Sequence[bytes | None] = ()
    values: Sequence[bytes | None] = ()
    timestamps: Sequence[int] = ()
    orders: Sequence[bytes] = ()
    headers: Sequence[Headers] = ()
    upto: Position | None = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class LoggedBatch:
    """Records of one partition in offset order, as parallel sequences.

    `stop` is the offset to read on from: at least the last record's plus one. `lanes` and `orders` are None
    where a record has no such header, as real Debezium's have not.
    """

    partition: Partition
    generation: str
    start: int
    stop: int
    offsets: Sequence[int]
    timestamps: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    lanes: Sequence[str | None]
    orders: Sequence[bytes | None]
    headers: Sequence[Headers]

    def __len__(self) -> int:
        return len(self.offsets)

    def between(self, start: int, stop: int) -> LoggedBatch:
        """The records at offsets from `start` up to but not including `stop`, as a batch of that stretch."""
        first, last = bisect_left(self.offsets, start), bisect_left(self.offsets, stop)
        return LoggedBatch(
            self.partition,
            self.generation,
            start,
            stop,
            self.offsets[first:last],
            self.timestamps[first:last],
            self.keys[first:last],
            self.values[first:last],
            self.lanes[first:last],
            self.orders[first:last],
            self.headers[first:last],
        )


class Source(Protocol):
    """An ordered stream of committed changes.

    Promise: a change is given again, with the same lane and order, until a position after it has been
    acknowledged; nothing of a rolled-back transaction is ever given (Invariant 7).
    Trap: after any error the source is closed and opened anew at the log's stored position.
    """

    def poll(self, limit: int, wait: timedelta) -> EncodedBatch:
        """Give at most about `limit` changes, waiting at most `wait` for the first; an empty batch when idle.

        Raise SourceUnavailable, SourceRefused, SourceHistoryLost or SourceRewound.
        """
        ...

    def acknowledge(self, upto: Position) -> None:
        """Let the source forget everything before `upto`.

        Called only once the log holds it durably (Invariant 1): an early call loses changes for ever.
        """
        ...

    def keep_alive(self) -> None:
        """Tell the source that we are still here; called while the log is slow. Acknowledges nothing."""
        ...

    def close(self) -> None:
        """Let go of connections; safe to call twice and after an error."""
        ...


class SourceAudit(Protocol):
    """A source's tables read at one position, to be compared with history."""

    def position(self) -> bytes:
        """The order (see `order_of`) of the instant this audit reads: every change below it is in the rows."""
        ...

    def reached(self, stored: Position | None) -> bool:
        """Whether the log holds every change before `position`, given the position stored with it.

        Trap: false while changes are pending, and false for good when no capture runs; the caller has a deadline.
        """
        ...

    def unchecked(self, stored: Position | None) -> Mapping[TableId, str]:
        """Tables that cannot be compared now, each with the reason (being read again, not in the publication)."""
        ...

    def rows(self, plan: TablePlan, shape: TableShape) -> Iterator[pa.Table]:
        """The table's rows at `position`, mapped as the sink maps them, in chunks: those columns of `shape` it has."""
        ...

    def close(self) -> None:
        """End the reading transaction; safe to call twice."""
        ...


class ChangeLogWriter(Protocol):
    """The durable log, as a capturer sees it."""

    def append(self, batch: EncodedBatch) -> None:
        """Make the records and `batch.upto` durable together, or neither.

        A key always goes to the same partition of its topic; records without a key go to partition 0.
        Raise LogUnavailable (nothing was appended, or it is unknown: send the same batch again, the sink drops
        what came twice) or LogRefused. A position lower than the stored one is refused (Invariant 8).
        """
        ...

    def position(self, source: str) -> Position | None:
        """The last position stored for the source; None if none was. Never inferred from records."""
        ...

    def close(self) -> None:
        """Let go; safe to call twice."""
        ...


class ChangeLogReader(Protocol):
    """The durable log, as one sink sees it."""

    def assigned(self) -> Mapping[Partition, Assignment]:
        """The partitions this reader is given now. It changes when topics appear and when sinks share the work."""
        ...

    def seek(self, partition: Partition, offset: int) -> None:
        """Read the partition on from `offset`; it must be assigned. Raise LogRefused if the log no longer holds it."""
        ...

    def poll(self, limit: int, wait: timedelta) -> Sequence[LoggedBatch]:
        """At most `limit` records after the last ones, one batch a partition; waits at most `wait` when there are none.

        Only partitions that were sought are read. Polling moves this reader's place in memory, nothing durable.
        """
        ...

    def report(self, offsets: Mapping[Partition, int]) -> None:
        """Say what the warehouse has committed: for dashboards and retention, never for recovery."""
        ...

    def close(self) -> None:
        """Let go; safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class Extent:
    """What a partition holds: offsets from `first` up to but not including `end`."""

    generation: str
    first: int
    end: int


class ChangeLogAudit(Protocol):
    """The log as an operator reads it: without an assignment and without moving anything."""

    def extents(self) -> Mapping[Partition, Extent]:
        """Every partition of every topic."""
        ...

    def records(self, partition: Partition, start: int, limit: int) -> LoggedBatch:
        """At most `limit` records from `start` on; fewer at the end."""
        ...

    def position(self, source: str) -> Position | None:
        """The last position stored for the source."""
        ...

    def close(self) -> None:
        """Let go; safe to call twice."""
        ...


class Warehouse(Protocol):
    """Where history is kept: the ledger and the rows in one place, moved by one transaction.

    A warehouse lets go of its connection between calls as it sees fit; `close` may be followed by more calls.
    """

    def claim(self, owner: str, partitions: Mapping[Partition, Assignment]) -> Mapping[Partition, Mark]:
        """Take the fence of all these partitions at once and return where each stands.

        A partition whose generation changed starts at offset 0 and keeps its lanes. Raise WarehouseRefused if a
        topic's partition count changed. Trap: every claim fences out the writer before, also oneself.
        """
        ...

    def shape(self, table: str) -> TableShape | None:
        """The history table's source columns and key; None if there is no such table."""
        ...

    def evolve(self, change: SchemaChange) -> None:
        """Make the table and its columns exist, with its views. Safe to repeat, also by two sinks at once."""
        ...

    def append(self, batch: HistoryBatch) -> None:
        """Store rows, spans, lanes, quarantine and gaps and move the ledger over the spans: all or nothing.

        Raise LedgerMoved if any span's partition no longer stands at (start, fence) (Invariant 6), ValueOutOfRange if
        some row's value cannot be stored; then nothing was stored. Trap: after WarehouseUnavailable it is unknown
        whether the batch was stored; claim again.
        """
        ...

    def close(self) -> None:
        """Let go of what is held. The next call takes it again."""
        ...


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """A span as the warehouse holds it, with the history table it went into and when (warehouse clock)."""

    table: str
    span: Span
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One partition of the ledger."""

    generation: str
    next_offset: int
    fence: int
    owner: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class SetAside:
    """A quarantined record, without its value. `key` is its key's bytes; None where it has none."""

    table: str
    partition: Partition
    generation: str
    offset: int
    key: bytes | None
    error: str
    reason: str
    state: str


@dataclass(frozen=True, slots=True)
class StoredGap:
    """A gap as history records it; `repaired_by` is the run that read the tables anew after it."""

    source: str
    table: str | None
    after: str
    before: str
    cause: str
    repaired_by: int | None
    recorded_at: datetime


class HistoryReader(Protocol):
    """History as verify, status and the timeline read it. Each call sees one committed state."""

    def ledger(self) -> Mapping[Partition, LedgerEntry]:
        """Every partition that was ever claimed; empty before the first."""
        ...

    def spans(self) -> Sequence[StoredSpan]:
        """All spans, by partition, generation and start."""
        ...

    def rows(self, table: str, partition: Partition, generation: str, start: int, stop: int) -> pa.Table:
        """History rows of that stretch of the log, by offset: the source's columns, our own, recorded_at last."""
        ...

    def newest(self, table: str, source: str, below: bytes) -> pa.Table:
        """The source's rows that exist after every change below that order; columns not sent are filled in.

        Trap: this is commit order, not valid order; for a keyless table it is what was created and not truncated.
        """
        ...

    def incidents(self) -> tuple[Sequence[SetAside], Sequence[StoredGap]]:
        """Quarantined records and gaps."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A query's result: column names, and rows as Arrow."""

    columns: tuple[str, ...]
    rows: pa.Table


class QueryConsole(Protocol):
    """Ad-hoc questions to history in the warehouse's own SQL."""

    def query(self, sql: str, parameters: Sequence[object] = ()) -> Answer:
        """Run one statement that only reads; raise WarehouseRefused with the warehouse's own words otherwise.

        Holds the warehouse only while the statement runs: an open session never stops the sink.
        """
        ...

    def shapes(self) -> Mapping[str, TableShape]:
        """The history tables there are."""
        ...


class SchemaRegistry(Protocol):
    """Schemas by number, versioned by subject."""

    def register(self, subject: str, schema: str) -> SchemaId:
        """The id of this schema under the subject, which is made if new; the same id for the same schema for ever.

        Raise SchemaIncompatible where the subject's compatibility forbids it, RegistryUnavailable.
        """
        ...

    def fetch(self, schema_id: SchemaId) -> str | None:
        """The schema's JSON text; None if there is no such id."""
        ...

    def latest(self, subject: str) -> tuple[SchemaId, str] | None:
        """The subject's newest version."""
        ...
