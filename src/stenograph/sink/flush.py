"""One flush of one history table: log records in, one batch for the warehouse out.

Stores nothing. Invariant 9: every record read is stored, a duplicate, filtered, or quarantined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from stenograph.envelope.mapping import MappedRow, RowMapping
from stenograph.envelope.reading import EventReader, Writer
from stenograph.errors import RecordUnreadable, ValueOutOfRange
from stenograph.events import ChangeEvent, Op, Row
from stenograph.history import HistoryBatch, Quarantined, arrow_schema, row_digest
from stenograph.offsets import LaneMark, Mark, Partition
from stenograph.ports import LoggedBatch
from stenograph.schemas import TablePlan, TableShape
from stenograph.sink.account import span_of
from stenograph.sink.place import Place, derived_place, is_duplicate
from stenograph.sink.quarantine import set_aside
from stenograph.sink.readers import Readers

_DAWN = (datetime(1, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
"""A snapshot row can have come to be at any time before: 0001-01-01, in microseconds since 1970."""


@dataclass(slots=True)
class _Stretch:
    """The records of one partition, counted."""

    batch: LoggedBatch
    counts: Counter[str] = field(default_factory=Counter)
    digest: list[tuple[int, str | None, bytes]] = field(default_factory=list)


class Flush:
    """Takes the batches of the partitions of one topic, then makes the HistoryBatch.

    `marks` are where the claim left each partition; the lanes in them move as records are taken, in a copy.
    """

    def __init__(self, plan: TablePlan, readers: Readers, marks: Mapping[Partition, Mark]) -> None:
        self._plan = plan
        self._readers = readers
        self._marks = marks
        self._rows: list[dict[str, object]] = []
        self._stretches: list[_Stretch] = []
        self._quarantined: list[Quarantined] = []
        self._lanes: dict[tuple[Partition, str], LaneMark] = {}
        self.needs: list[TableShape] = []
        """The shapes that the rows taken need of the history table, oldest first."""

    def take(self, batch: LoggedBatch) -> None:
        """Take a partition's records. Raise LaneRegressed or SchemaConflict; then the flush is spoilt."""
        stretch = _Stretch(batch)
        self._stretches.append(stretch)
        for index, value in enumerate(batch.values):
            if value is None:
                # A tombstone only lets a compacted topic forget; history forgets nothing.
                stretch.counts["filtered"] += 1
                continue
            try:
                fate = self._taken(batch, index, value, stretch)
            except (RecordUnreadable, ValueOutOfRange) as fault:
                self._quarantined.append(set_aside(batch, index, fault))
                fate = "quarantined"
            stretch.counts[fate] += 1

    def refuse(self, batch: LoggedBatch, fault: ValueOutOfRange) -> None:
        """Set every record of the batch aside: the warehouse has refused them."""
        stretch = _Stretch(batch)
        self._stretches.append(stretch)
        for index in range(len(batch)):
            self._quarantined.append(set_aside(batch, index, fault))
            stretch.counts["quarantined"] += 1

    def finish(self, shape: TableShape) -> HistoryBatch:
        """The batch, in the history table's whole shape: columns that a row does not have are null."""
        schema = arrow_schema(shape)
        columns = [
            pa.array([row.get(column.name) for row in self._rows], type=column.type) for column in schema
        ]
        return HistoryBatch(
            table=self._plan.history,
            shape=shape,
            rows=pa.Table.from_arrays(columns, schema=schema),
            spans=tuple(span_of(s.batch, s.counts, s.digest) for s in self._stretches),
            fences={s.batch.partition: self._marks[s.batch.partition].fence for s in self._stretches},
            lanes=self._lanes,
            quarantined=tuple(self._quarantined),
        )

    def _taken(self, batch: LoggedBatch, index: int, value: bytes, stretch: _Stretch) -> str:
        offset, headers = batch.offsets[index], batch.headers[index]
        reader = self._readers.event(value)
        key_reader, key = self._key(batch.keys[index])
        lane, order = batch.lanes[index], batch.orders[index]
        ours = lane is not None and order is not None
        event = reader.read(value, key, headers, Writer.OURS if ours else Writer.DEBEZIUM)
        place = Place(lane, order) if lane is not None and order is not None else derived_place(event, offset)
        if self._is_duplicate(batch.partition, place, event.origin.committed_at, offset):
            return "duplicate"
        # A truncate has no key, which says nothing of the table's.
        mapping = self._readers.mapping(self._plan, value, None if event.op is Op.TRUNCATE else key_reader)
        mapped = _mapped(mapping, event)
        if mapping.shape not in self.needs:
            self.needs.append(mapping.shape)
        row = mapped.values | self._own(batch, index, event, place, reader, mapping, mapped)
        self._rows.append(row)
        key_digest = row_digest([mapped.values.get(name) for name in mapping.shape.key])
        stretch.digest.append((offset, place.order.hex(), key_digest))
        return "stored"

    def _key(self, message: bytes | None) -> tuple[tuple[str, ...], Row | None]:
        if message is None:
            return (), None
        reader = self._readers.key(message)
        return reader.columns, reader.read(message)

    def _is_duplicate(self, partition: Partition, place: Place, committed_at: int, offset: int) -> bool:
        mark = self._lanes.get((partition, place.lane)) or self._marks[partition].lanes.get(place.lane)
        if is_duplicate(place, committed_at, mark, partition, offset):
            return True
        self._move(partition, place, committed_at, mark)
        return False

    def _move(self, partition: Partition, place: Place, committed_at: int, mark: LaneMark | None) -> None:
        if mark is None:
            self._lanes[partition, place.lane] = LaneMark(place.order, committed_at)
        else:
            self._lanes[partition, place.lane] = LaneMark(
                max(place.order, mark.order), max(committed_at, mark.committed_at)
            )

    def _own(
        self,
        batch: LoggedBatch,
        index: int,
        event: ChangeEvent,
        place: Place,
        reader: EventReader,
        mapping: RowMapping,
        mapped: MappedRow,
    ) -> dict[str, object]:
        # Invariant 11: a row is made of the record and the plan alone, so that a replay makes the same one.
        committed = event.origin.committed_at
        model = self._plan.model
        before = event.before if self._plan.keep_before and event.before_is_full else None
        return {
            "_steno_op": event.op.value,
            "_steno_source": self._plan.source,
            "_steno_committed_at": committed,
            "_steno_changed_at": committed,
            "_steno_changed_after": _DAWN if event.op is Op.SNAPSHOT else None,
            "_steno_observed_at": event.observed_at // 1000,
            "_steno_lane": place.lane,
            "_steno_order": place.order.hex(),
            "_steno_related_key": None
            if event.related_key is None
            else mapping.related_key(event.related_key),
            "_steno_transaction": None if event.transaction is None else event.transaction.id,
            "_steno_topic": batch.partition.topic,
            "_steno_log_generation": batch.generation,
            "_steno_log_partition": batch.partition.number,
            "_steno_log_offset": batch.offsets[index],
            "_steno_schema": reader.fingerprint,
            "_steno_model_version": None if model is None else model.version,
            "_steno_notes": mapping.notes(event.texts),
            "_steno_unchanged": list(mapped.unchanged) or None,
            "_steno_extra": mapped.extra,
            "_steno_before": None if before is None else mapping.before_json(before),
        }


def _mapped(mapping: RowMapping, event: ChangeEvent) -> MappedRow:
    """What the history row holds: the row after, or for a delete the key and whatever of `before` is real."""
    match event.op:
        case Op.TRUNCATE:
            return MappedRow({}, None, ())
        case Op.DELETE if event.before_is_full and event.before is not None:
            return mapping.row(event.before)
        case Op.DELETE:
            return mapping.key_only(event.key or {})
        case _:
            return mapping.row(event.after or {})
