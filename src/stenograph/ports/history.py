"""History as verify, status, the timeline and a console read it.

Imports no driver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from stenograph.offsets import Partition, Span
from stenograph.schemas import TableShape


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


def open_gaps(gaps: Sequence[StoredGap]) -> list[StoredGap]:
    """Those that nothing has repaired: neither a later run nor, for one table, a later reading of it.

    `gaps` are in the order in which they were recorded, as `HistoryReader.incidents` gives them.
    """
    left: list[StoredGap] = []
    for gap in gaps:
        if gap.repaired_by is None:
            left.append(gap)
        else:
            left = [old for old in left if old.source != gap.source or gap.table not in (None, old.table)]
    return left


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
        """Quarantined records, and gaps in the order in which they were recorded."""
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
