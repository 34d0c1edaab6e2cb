"""One record of the log, read with the reference codec and made a history row.

Knows no lane: whether the record is a repeat is decided between the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from stenograph.envelope.fit import Fit
from stenograph.envelope.mapping import MappedRow, RowMapping
from stenograph.envelope.reading import INSTANTS, Writer
from stenograph.events import ChangeEvent, Op, Row
from stenograph.ports import LoggedBatch
from stenograph.schemas import TablePlan, TableShape
from stenograph.sink.place import Place, derived_place
from stenograph.sink.readers import Readers

DAWN = INSTANTS.start
"""A snapshot row can have come to be at any time before: 0001-01-01, in microseconds since 1970."""


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """The record at `index` of a batch. `key` names the columns of its key; empty for a record without one."""

    index: int
    value: bytes
    event: ChangeEvent
    place: Place
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A row before the history table's shape is known: `own` are history's own columns but for what the fit says.

    `shape` is what the row needs of the table: its schema's columns, and one for each exact text.
    """

    mapping: RowMapping
    mapped: MappedRow
    own: dict[str, object]
    shape: TableShape

    def in_shape_of(self, fit: Fit) -> dict[str, object]:
        """The row's values by history column; `fit` is that of the row's mapping."""
        row = fit.row(self.mapped)
        return row.values | self.own | {"_steno_extra": row.extra, "_steno_notes": row.notes}


def read_record(readers: Readers, batch: LoggedBatch, index: int, value: bytes) -> ReadRecord:
    """Read the record, whose value is given beside it; raise RecordUnreadable."""
    reader = readers.event(value)
    key_columns, key = _key(readers, batch.keys[index])
    lane, order = batch.lanes[index], batch.orders[index]
    named = None if lane is None or order is None else Place(lane, order)
    event = reader.read(value, key, batch.headers[index], Writer.DEBEZIUM if named is None else Writer.OURS)
    place = named or derived_place(event, batch.offsets[index])
    return ReadRecord(index, value, event, place, key_columns)


def history_row(readers: Readers, plan: TablePlan, batch: LoggedBatch, record: ReadRecord) -> HistoryRow:
    """The row that history stores; raise ValueOutOfRange where a column cannot hold a value, SchemaConflict."""
    event = record.event
    # A truncate has no key, which says nothing of the table's.
    mapping = readers.mapping(plan, record.value, None if event.op is Op.TRUNCATE else record.key)
    mapped = _mapped(mapping, event)
    fingerprint = readers.event(record.value).fingerprint
    own = _own(plan, batch, record, fingerprint, mapping, mapped)
    return HistoryRow(mapping, mapped, own, _needed(mapping, mapped))


def _key(readers: Readers, message: bytes | None) -> tuple[tuple[str, ...], Row | None]:
    if message is None:
        return (), None
    reader = readers.key(message)
    return reader.columns, reader.read(message)


def _own(
    plan: TablePlan,
    batch: LoggedBatch,
    record: ReadRecord,
    fingerprint: str,
    mapping: RowMapping,
    mapped: MappedRow,
) -> dict[str, object]:
    # Invariant 11: a row is made of the record and the plan alone, so that a replay makes the same one.
    event = record.event
    committed = event.origin.committed_at
    before = event.before if plan.keep_before and event.before_is_full else None
    return {
        "_steno_op": event.op.value,
        "_steno_source": plan.source,
        "_steno_committed_at": committed,
        "_steno_changed_at": committed,
        "_steno_changed_after": DAWN if event.op is Op.SNAPSHOT else None,
        "_steno_observed_at": event.observed_at // 1000,
        "_steno_lane": record.place.lane,
        "_steno_order": record.place.order.hex(),
        "_steno_related_key": None if event.related_key is None else mapping.related_key(event.related_key),
        "_steno_transaction": None if event.transaction is None else event.transaction.id,
        "_steno_topic": batch.partition.topic,
        "_steno_log_generation": batch.generation,
        "_steno_log_partition": batch.partition.number,
        "_steno_log_offset": batch.offsets[record.index],
        "_steno_schema": fingerprint,
        "_steno_model_version": None if plan.model is None else plan.model.version,
        "_steno_unchanged": list(mapped.unchanged) or None,
        "_steno_before": None if before is None else mapping.before_json(before, event.texts),
    }


def _mapped(mapping: RowMapping, event: ChangeEvent) -> MappedRow:
    """What the history row holds: the row after, or for a delete the key and whatever of `before` is real."""
    match event.op:
        case Op.TRUNCATE:
            return MappedRow({}, None, ())
        case Op.DELETE if event.before_is_full and event.before is not None:
            return mapping.row(event.before, event.texts)
        case Op.DELETE:
            return mapping.key_only(event.key or {})
        case _:
            return mapping.row(event.after or {}, event.texts)


def _needed(mapping: RowMapping, mapped: MappedRow) -> TableShape:
    if not mapped.texts:
        return mapping.shape
    columns = (*mapping.shape.columns, *(target.text for target, _ in mapped.texts))
    return TableShape(columns, mapping.shape.key)
