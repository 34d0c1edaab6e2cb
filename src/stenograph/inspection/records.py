"""Records of the log as a person looks at them, decoded by the reference reader.

Shows no value of a row unless it is asked to: they are the user's data. What cannot be decoded is shown as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from stenograph.envelope.framing import schema_id_of
from stenograph.envelope.gap import read_gap
from stenograph.envelope.reading import Writer
from stenograph.errors import RecordUnreadable
from stenograph.events import Missing, Row
from stenograph.offsets import Partition
from stenograph.ports import ChangeLogAudit, LoggedBatch
from stenograph.sink import Readers

_PIECE = 100
"""Records read at once: a person's look must not hold thousands of large rows."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Values(Enum):
    """Whether the values of rows are shown."""

    HIDDEN = "hidden"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class RecordView:
    """One record. `at` is its timestamp; `order` is hex text, and `lane` and it are None where it has none.

    `op` is the event's, `tombstone` for a record without value, `message` for one of the capturer's own, None where it
    cannot be decoded: then `error` says why. `before` and `after` are None unless they were asked for; `unchanged`
    names the columns that the source did not send. `note` is what a message says.
    """

    partition: int
    offset: int
    at: datetime
    op: str | None
    key: Mapping[str, object] | None
    lane: str | None
    order: str | None
    schema_id: int | None
    bytes: int
    note: str | None = None
    error: str | None = None
    unchanged: tuple[str, ...] = ()
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None

    def as_json(self) -> dict[str, object]:
        """The record as JSON takes it; `at` in ISO 8601, UTC."""
        return {
            "partition": self.partition,
            "offset": self.offset,
            "at": self.at.isoformat(),
            "op": self.op,
            "key": self.key,
            "lane": self.lane,
            "order": self.order,
            "schema_id": self.schema_id,
            "bytes": self.bytes,
            "note": self.note,
            "error": self.error,
            "unchanged": list(self.unchanged),
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True, slots=True)
class _Event:
    """What a decoded value adds to the record's frame."""

    op: str
    note: str | None = None
    unchanged: tuple[str, ...] = ()
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None


@dataclass(slots=True)
class _Look:
    """One record being looked at: what has been decoded so far, until an error ends it."""

    batch: LoggedBatch
    at: int
    readers: Readers
    values: Values
    key: dict[str, object] | None = None
    event: _Event | None = None
    schema_id: int | None = None
    error: str | None = None
    value: bytes | None = field(init=False)

    def __post_init__(self) -> None:
        self.value = self.batch.values[self.at]
        try:
            self._decode()
        except RecordUnreadable as refusal:
            self.error = str(refusal)

    def view(self) -> RecordView:
        order = self.batch.orders[self.at]
        event = self.event
        return RecordView(
            partition=self.batch.partition.number,
            offset=self.batch.offsets[self.at],
            at=_EPOCH + timedelta(milliseconds=self.batch.timestamps[self.at]),
            op=None if event is None else event.op,
            key=self.key,
            lane=self.batch.lanes[self.at],
            order=None if order is None else order.hex(),
            schema_id=self.schema_id,
            bytes=len(self.value or b""),
            note=None if event is None else event.note,
            error=self.error,
            unchanged=() if event is None else event.unchanged,
            before=None if event is None else event.before,
            after=None if event is None else event.after,
        )

    def _decode(self) -> None:
        key = self.batch.keys[self.at]
        if self.value is not None:
            self.schema_id = schema_id_of(self.value)
        if key is not None:
            self.key = self.readers.key(key).read(key)
        self.event = _Event("tombstone") if self.value is None else self._event(self.value)

    def _event(self, value: bytes) -> _Event:
        reader = self.readers.event(value)
        if reader.is_message:
            gap = read_gap(reader.decode(value))
            if gap is None:
                return _Event("message")
            return _Event(
                "message",
                note=f"gap of {gap.table or 'all tables'}: {gap.after} to {gap.before}, {gap.cause}",
            )
        writer = Writer.DEBEZIUM if self.batch.lanes[self.at] is None else Writer.OURS
        event = reader.read(value, self.key, self.batch.headers[self.at], writer)
        shown = self.values is Values.SHOWN
        return _Event(
            event.op.value,
            unchanged=tuple(n for n, v in (event.after or {}).items() if v is Missing.UNCHANGED),
            before=_sent(event.before if event.before_is_full else self.key, event.texts)
            if shown and event.before is not None
            else None,
            after=_sent(event.after, event.texts) if shown and event.after is not None else None,
        )


def records(
    log: ChangeLogAudit, readers: Readers, partition: Partition, start: int, limit: int, values: Values
) -> Iterator[RecordView]:
    """At most `limit` records of the partition from offset `start` on, one by one.

    Records that retention has removed are passed over. Raise LogRefused if there is no such partition, and what the
    registry raises.
    """
    left = limit
    while left > 0:
        batch = log.records(partition, start, min(left, _PIECE))
        if not len(batch):
            return
        for at in range(len(batch)):
            yield _Look(batch, at, readers, values).view()
        left -= len(batch)
        start = batch.stop


def _sent(row: Row | None, texts: Mapping[str, str]) -> dict[str, object]:
    """The columns that were sent, wire values as they are; exact texts where the wire's type cannot hold the value."""
    return {
        name: texts.get(name, value) for name, value in (row or {}).items() if value is not Missing.UNCHANGED
    }
