"""What the reference reads of messages, beside what the columnar reader says of the same ones.

Compares; chooses no messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from stenograph.envelope.columnar import ColumnarEvents, Envelopes, Rows
from stenograph.envelope.framing import schema_id_of
from stenograph.envelope.reading import EventReader, Writer
from stenograph.envelope.table import WireColumn
from stenograph.envelope.values import Convert, converter
from stenograph.errors import RecordUnreadable, ValueOutOfRange
from stenograph.events import ChangeEvent
from stenograph.history import arrow_type
from stenograph.schemas import column_type

REFUSED = object()


@dataclass(slots=True)
class Doubts:
    """Where the columnar reader left to the reference what that takes: messages, and (message, row, column)."""

    messages: list[int] = field(default_factory=list)
    values: list[tuple[int, str, str]] = field(default_factory=list)


class Comparison:
    """The two readers of one writer schema."""

    def __init__(self, schema: str) -> None:
        self.columnar = ColumnarEvents(schema)
        self._reference = EventReader(schema)
        self._converters = {c.name: converter(c.avro) for c in self._reference.columns}

    def doubts(self, messages: Sequence[bytes]) -> Doubts:
        """Assert that all that the columnar reader says is what the reference says; give back what it left out."""
        found = self.columnar.read(pa.array(messages, pa.large_binary()))
        assert self.columnar.columns == self._reference.columns
        assert self.columnar.fingerprint == self._reference.fingerprint
        assert len(found) == len(messages)
        doubts = Doubts()
        events = [self._event(message) for message in messages]
        for number, event in enumerate(events):
            if not found.sound[number]:
                if event is not None:
                    doubts.messages.append(number)
                continue
            assert event is not None, (number, messages[number].hex())
            _agree_on_event(found, number, event)
        for name in ("before", "after"):
            rows: Rows = getattr(found, name)
            for column, array, refused in zip(self.columnar.columns, rows.columns, rows.refused, strict=True):
                array.validate(full=True)
                assert array.type == arrow_type(column_type(column.avro))
                expected = [
                    self._value(None if e is None else getattr(e, name), column) if sound else None
                    for e, sound in zip(events, found.sound, strict=True)
                ]
                left = [refused is not None and bool(refused[n]) for n in range(len(messages))]
                for number, is_left in enumerate(left):
                    if is_left and found.sound[number] and expected[number] is not REFUSED:
                        doubts.values.append((number, name, column.name))
                    if is_left:
                        expected[number] = None
                assert REFUSED not in expected, (column, expected.index(REFUSED))
                shown = [value if s else None for value, s in zip(plain(array), found.sound, strict=True)]
                assert shown == plain(pa.array(expected, array.type)), column
        return doubts

    def _event(self, message: bytes) -> ChangeEvent | None:
        try:
            schema_id_of(message)
            return self._reference.read(message, None, (), Writer.OURS)
        except RecordUnreadable:
            return None

    def _value(self, row: Mapping[str, Any] | None, column: WireColumn) -> object:
        if row is None or row[column.name] is None:
            return None
        return _tried(self._converters[column.name], row[column.name])


def _tried(convert: Convert, value: object) -> object:
    try:
        return convert(value)
    except ValueOutOfRange:
        return REFUSED


def _agree_on_event(found: Envelopes, number: int, event: ChangeEvent) -> None:
    assert found.op[number] is event.op
    assert found.committed_at[number] == event.origin.committed_at
    assert found.observed_at[number] == event.observed_at // 1000
    transaction = None if event.transaction is None else event.transaction.id
    assert found.transaction_id[number].as_py() == transaction
    assert bool(found.after.present[number]) == (event.after is not None)
    assert bool(found.before.present[number]) == (event.before is not None)


def plain(array: pa.Array[Any]) -> list[object]:
    """The values as what can be compared: whole numbers for temporal ones, hexadecimal floats because of NaN."""
    of = array.type
    if pa.types.is_list(of):
        items = plain(array.flatten())  # type: ignore[attr-defined]
        lengths = array.value_lengths().to_pylist()  # type: ignore[attr-defined]
        rest = iter(items)
        return [None if n is None else [next(rest) for _ in range(n)] for n in lengths]
    if pa.types.is_temporal(of):
        array = array.cast(pa.int32() if pa.types.is_date32(of) else pa.int64())
    show: Callable[[Any], object] = float.hex if pa.types.is_floating(of) else lambda value: value
    return [None if value is None else show(value) for value in array.to_pylist()]
