"""What a warehouse promises to the sink and to `steno plan`.

Imports no driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from stenograph.history import HistoryBatch
from stenograph.offsets import Assignment, Mark, Partition
from stenograph.schemas import SchemaChange, TableShape


@dataclass(frozen=True, slots=True)
class Planned:
    """The statements of a change, to be read by people: for the bookkeeping, for the table itself, for its views.

    All are empty where there is nothing to do.
    """

    bookkeeping: tuple[str, ...] = ()
    table: tuple[str, ...] = ()
    views: tuple[str, ...] = ()


class WarehousePlan(Protocol):
    """What a change would do to the warehouse. Runs nothing and makes nothing, not even an empty history."""

    def shape(self, table: str) -> TableShape | None:
        """See `Warehouse.shape`."""
        ...

    def planned(self, change: SchemaChange) -> Planned:
        """What `Warehouse.evolve` would run for the change now.

        Raise SchemaConflict and WarehouseRefused as it would. Trap: another writer may be faster; `evolve` looks again.
        """
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

    def planned(self, change: SchemaChange) -> Planned:
        """See `WarehousePlan.planned`."""
        ...

    def evolve(self, change: SchemaChange) -> None:
        """Make the table and its columns exist, as wide as the change says, with its views.

        Safe to repeat, also by two sinks at once. Raise SchemaConflict for a column of a type that is not one of those
        it may be widened from.
        """
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
