"""Moves change events from the log into history tables, exactly once.

Keeps nothing that it could not get again by a claim. Does not retry, sleep or start threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from stenograph.errors import SchemaConflict, StenographError, ValueOutOfRange
from stenograph.history import HistoryBatch
from stenograph.offsets import Assignment, Mark, Partition
from stenograph.ports import ChangeLogReader, LoggedBatch, Warehouse
from stenograph.schemas import SchemaChange, TablePlan, TableShape
from stenograph.sink.evolution import evolved
from stenograph.sink.flush import Flush
from stenograph.sink.gaps import gap_batch
from stenograph.sink.halves import halves
from stenograph.sink.readers import Readers

OpenReader = Callable[[], ChangeLogReader]


class Sink:
    """One sink loop: a step polls once and makes one append per history table.

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
        limit: int = 5_000,
    ) -> None:
        self._owner = owner
        self._plans = {plan.topic: plan for plan in plans}
        self._gap_topic = gap_topic
        self._open_reader = open_reader
        self._warehouse = warehouse
        self._readers = readers
        self._limit = limit
        self._reader: ChangeLogReader | None = None
        self._assigned: Mapping[Partition, Assignment] = {}
        self._marks: dict[Partition, Mark] = {}
        self._shapes: dict[str, TableShape] = {}
        self._paused: set[str] = set()

    def step(self, wait: timedelta) -> int:
        """Store at most one poll's records, waiting at most `wait` for them; the number of records read."""
        if self._reader is None:
            self._reader = self._open_reader()
        self._claim_what_is_assigned(self._reader)
        batches = self._reader.poll(self._limit, wait)
        if not batches:
            # Whoever wants to read the history may have it while there is nothing to do.
            self._warehouse.close()
            return 0
        for topic in sorted({batch.partition.topic for batch in batches}):
            self._store(topic, [batch for batch in batches if batch.partition.topic == topic])
        self._reader.report({partition: mark.next_offset for partition, mark in self._marks.items()})
        return sum(len(batch) for batch in batches)

    def keep_alive(self) -> None:
        """Nothing: the embedded log takes no partitions away."""

    def reset(self, error: StenographError) -> None:
        """Forget what was polled: the next step claims again and reads from the ledger's offsets."""
        self._assigned, self._marks, self._shapes = {}, {}, {}
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
        if topic == self._gap_topic:
            batch = gap_batch(batches, self._readers, self._marks)
        else:
            batch = self._history_batch(self._plans[topic], batches)
        # Invariant 5: rows, ledger, lanes, spans and quarantine move in one warehouse transaction.
        self._warehouse.append(batch)
        self._move_marks(batch)

    def _set_aside(self, topic: str, batches: Sequence[LoggedBatch], fault: ValueOutOfRange) -> None:
        plan = self._plans[topic]
        flush = Flush(plan, self._readers, self._marks)
        for batch in batches:
            flush.refuse(batch, fault)
        refused = flush.finish(self._shape_for(plan, ()))
        self._warehouse.append(refused)
        self._move_marks(refused)

    def _history_batch(self, plan: TablePlan, batches: Sequence[LoggedBatch]) -> HistoryBatch:
        flush = Flush(plan, self._readers, self._marks)
        for batch in batches:
            flush.take(batch)
        return flush.finish(self._shape_for(plan, flush.needs))

    def _shape_for(self, plan: TablePlan, needs: Sequence[TableShape]) -> TableShape:
        try:
            return self._evolved(plan, needs)
        except SchemaConflict as conflict:
            # The warehouse knows tables, the supervisor pauses topics.
            conflict.facts.setdefault("topic", plan.topic)
            raise

    def _evolved(self, plan: TablePlan, needs: Sequence[TableShape]) -> TableShape:
        known = self._shapes.get(plan.history) or self._warehouse.shape(plan.history)
        for need in needs:
            target, adds = evolved(plan, known, need)
            if known is None or adds or target.key != known.key:
                self._warehouse.evolve(SchemaChange(plan.history, target, adds, plan.track))
                # What the warehouse says counts: another sink may have added columns of its own.
                known = self._warehouse.shape(plan.history) or target
        if known is None:
            return TableShape((), ())
        self._shapes[plan.history] = known
        return known

    def _move_marks(self, batch: HistoryBatch) -> None:
        for span in batch.spans:
            mark = self._marks[span.partition]
            lanes = {lane: at for (partition, lane), at in batch.lanes.items() if partition == span.partition}
            self._marks[span.partition] = replace(mark, next_offset=span.stop, lanes={**mark.lanes, **lanes})
