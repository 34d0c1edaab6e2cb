"""What a change log promises to capture, to the sink and to whoever looks into it.

Imports no client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from stenograph.offsets import Assignment, Partition, Position
from stenograph.ports.batches import EncodedBatch, LoggedBatch


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
