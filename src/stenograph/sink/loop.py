"""Moves change events from the log into history tables, exactly once.

Keeps nothing that it could not get again by a claim. Does not retry or start threads, and rests only between two small
appends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from stenograph.errors import StenographError, ValueOutOfRange
from stenograph.history import FlushLimits, HistoryBatch
from stenograph.offsets import Assignment, Mark, Partition
from stenograph.ports import ChangeLogReader, LoggedBatch, Warehouse
from stenograph.schemas import TablePlan
from stenograph.sink.columnar import take_by_columns
from stenograph.sink.flush import Flush
from stenograph.sink.gaps import gap_batch
from stenograph.sink.gathering import gathered
from stenograph.sink.halves import halves
from stenograph.sink.history_shapes import HistoryShapes
from stenograph.sink.readers import Readers

OpenReader = Callable[[], ChangeLogReader]


class Sink:
    """One sink loop: a step gathers one flush and makes one append per history table.

    `gap_topic` is where the capturer reports gaps; it feeds no history table. Trap: after any error `reset` must
    come before the next step, because what was polled but not stored must be read again.
    """

    name = "sink"

    def __init__(
        self,
        owner: str,
        plans: Sequence[TablePlan],
        gap_topic: str,
        open_reader: OpenReader,
        warehouse: Warehouse,
        readers: Readers,
        limits: FlushLimits,
    ) -> None:
        self._owner = owner
        self._plans = {plan.topic: plan for plan in plans}
        self._gap_topic = gap_topic
        self._open_reader = open_reader
        self._warehouse = warehouse
        self._readers = readers
        self._limits = limits
        self._not_before = 0.0
        self._reader: ChangeLogReader | None = None
        self._assigned: Mapping[Partition, Assignment] = {}
        self._marks: dict[Partition, Mark] = {}
        self._reported: dict[Partition, int] = {}
        self._shapes = HistoryShapes(warehouse)
        self._paused: set[str] = set()

    def step(self, wait: timedelta) -> int:
        """Store at most one flush, waiting at most `wait` for its first record; the number of records read."""
        left = timedelta(seconds=self._not_before - time.monotonic())
        if left > timedelta(0):
            time.sleep(min(left, wait).total_seconds())
            if left > wait:
                return 0
            wait -= left
        if self._reader is None:
            self._reader = self._open_reader()
        self._claim_what_is_assigned(self._reader)
        batches, is_more_waiting = gathered(self._reader, self._limits, wait)
        for topic in sorted({batch.partition.topic for batch in batches}):
            self._store(topic, [batch for batch in batches if batch.partition.topic == topic])
        self._report(self._reader)
        if not is_more_waiting:
            # Whoever wants to read the history may have it while there is nothing to do.
            self._warehouse.close()
            if batches:
                self._not_before = time.monotonic() + self._limits.seconds
        return sum(len(batch) for batch in batches)

    def keep_alive(self) -> None:
        """Nothing: the embedded log takes no partitions away."""

    def reset(self, error: StenographError) -> None:
        """Forget what was polled: the next step claims again and reads from the ledger's offsets."""
        self._assigned, self._marks, self._reported = {}, {}, {}
        self._shapes.forget()
        reader, self._reader = self._reader, None
        with suppress(StenographError):
            # What failed is being reported already; a second failure while letting go says nothing new.
            self._warehouse.close()
            if reader is not None:
                reader.close()

    def pause(self, error: StenographError) -> None:
        """Leave out the topic that the error names; its records wait in the log."""
        topic = error.facts.get("topic")
        if not isinstance(topic, str):
            raise error
        self._paused.add(topic)
        self.reset(error)

    def drain(self) -> None:
        """Nothing is unconfirmed between two steps."""

    def close(self) -> None:
        """Let go of the log and the warehouse."""
        self._warehouse.close()
        if self._reader is not None:
            self._reader.close()

    def _claim_what_is_assigned(self, reader: ChangeLogReader) -> None:
        assigned = {
            partition: assignment
            for partition, assignment in reader.assigned().items()
            if partition.topic not in self._paused
        }
        fresh = {p: a for p, a in assigned.items() if self._assigned.get(p) != a}
        if fresh:
            claimed = self._warehouse.claim(self._owner, fresh)
            for partition, mark in claimed.items():
                # Invariant 2: what the ledger has not passed is read again, whatever the sink had polled.
                reader.seek(partition, mark.next_offset)
            self._marks |= claimed
        self._assigned = assigned

    def _report(self, reader: ChangeLogReader) -> None:
        moved = {
            partition: mark.next_offset
            for partition, mark in self._marks.items()
            if self._reported.get(partition) != mark.next_offset
        }
        if moved:
            reader.report(moved)
            self._reported |= moved

    def _store(self, topic: str, batches: Sequence[LoggedBatch]) -> None:
        try:
            self._append(topic, batches)
        except ValueOutOfRange as fault:
            # The warehouse cannot say which row it refused: halves are stored until the one is found.
            pieces = halves(batches)
            for piece in pieces:
                self._store(topic, piece)
            if not pieces:
                self._set_aside(topic, batches, fault)

    def _append(self, topic: str, batches: Sequence[LoggedBatch]) -> None:
        for batch in self._made(topic, batches):
            # Invariant 5: rows, ledger, lanes, spans and quarantine move in one warehouse transaction.
            self._warehouse.append(batch)
            self._move_marks(batch)

    def _made(self, topic: str, batches: Sequence[LoggedBatch]) -> Iterator[HistoryBatch]:
        if topic != self._gap_topic:
            yield self._history_batch(self._plans[topic], batches)
            return
        for batch in batches:
            # Gaps are few, and one partition may stand there twice: each is made where the one before has left off.
            yield gap_batch([batch], self._readers, self._marks)

    def _set_aside(self, topic: str, batches: Sequence[LoggedBatch], fault: ValueOutOfRange) -> None:
        plan = self._plans[topic]
        flush = Flush(plan, self._readers, self._marks)
        for batch in batches:
            flush.refuse(batch, fault)
        refused = flush.finish(self._shapes.grown(plan, ()))
        self._warehouse.append(refused)
        self._move_marks(refused)

    def _history_batch(self, plan: TablePlan, batches: Sequence[LoggedBatch]) -> HistoryBatch:
        flush = Flush(plan, self._readers, self._marks, take_by_columns)
        for batch in batches:
            flush.take(batch)
        return flush.finish(self._shapes.grown(plan, flush.needs))

    def _move_marks(self, batch: HistoryBatch) -> None:
        for span in batch.spans:
            mark = self._marks[span.partition]
            lanes = {lane: at for (partition, lane), at in batch.lanes.items() if partition == span.partition}
            self._marks[span.partition] = replace(mark, next_offset=span.stop, lanes={**mark.lanes, **lanes})
