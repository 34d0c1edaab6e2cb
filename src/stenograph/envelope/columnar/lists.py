"""Lists, and values that are read one by one although everything around them is not.

What the second kind gives is what the reference gives: it is the reference.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import fastavro
import numpy as np
import pyarrow as pa

from stenograph.envelope.columnar.arrays import Array, Made, bitmap, of_bytes, valid_of
from stenograph.envelope.columnar.nodes import Raw
from stenograph.envelope.columnar.window import Window, buffer_of
from stenograph.envelope.values import Convert
from stenograph.errors import ValueOutOfRange
from stenograph.packing import Bools, Ints

Finish = Callable[[Window, Raw, Bools | None], Made]
"""From what a node read to the history column; the truths say which records are framed exactly, None that all are."""


class Lists:
    """Lists of what another finish makes."""

    def __init__(self, item: Finish) -> None:
        self._item = item

    def __call__(self, window: Window, raw: Raw, sound: Bools | None) -> Made:
        """See `Finish`."""
        counts: Ints = raw.values
        valid = valid_of(raw, sound)
        assert raw.items is not None
        owner = np.repeat(np.arange(len(counts)), counts)
        items = raw.items
        trusted = None if valid is None or valid.all() else valid[owner]
        made = self._item(window, items, trusted)
        offsets = np.zeros(len(counts) + 1, np.int32)
        np.cumsum(counts, out=offsets[1:])
        refused = _owners(owner, made.refused, len(counts))
        broken = _owners(owner, made.unread, len(counts))
        for spoilt in (refused, broken):
            if spoilt is not None:
                valid = ~spoilt if valid is None else valid & ~spoilt
        array = pa.Array.from_buffers(
            pa.list_(made.array.type),
            len(counts),
            [bitmap(valid), buffer_of(offsets)],
            children=[made.array],
        )
        return Made(array, refused, broken)


def _owners(owner: Ints, items: Bools | None, count: int) -> Bools | None:
    if items is None:
        return None
    owners = np.zeros(count, np.bool_)
    owners[owner[items]] = True
    return owners


class OneByOne:
    """Values whose bytes the reference's own library reads and whose converter it asks, one after the other."""

    def __init__(self, schema: Any, convert: Convert, of: pa.DataType) -> None:
        self._schema = fastavro.parse_schema(schema)
        self._convert = convert
        self._type = of

    def __call__(self, window: Window, raw: Raw, sound: Bools | None) -> Made:
        """See `Finish`."""
        data = of_bytes(window, raw, valid_of(raw, sound)).to_pylist()
        values: list[object] = [None] * len(data)
        refused, broken = np.zeros(len(data), np.bool_), np.zeros(len(data), np.bool_)
        for place, datum in enumerate(data):
            if datum is None:
                continue
            stream = io.BytesIO(datum)
            try:
                value = fastavro.schemaless_reader(stream, self._schema, None)
            except Exception:  # noqa: BLE001 - fastavro raises whatever its innards raise on damage.
                broken[place] = True
                continue
            broken[place] = stream.tell() != len(datum)
            try:
                values[place] = self._convert(value)
            except _REFUSALS:
                refused[place] = True
        return Made(self._array(values, refused), refused, broken)

    def _array(self, values: list[object], refused: Bools) -> Array:
        try:
            return pa.array(values, self._type)
        except _REFUSALS:
            for place, value in enumerate(values):
                try:
                    pa.array([value], self._type)
                except _REFUSALS:
                    values[place], refused[place] = None, True
            return pa.array(values, self._type)


_REFUSALS = (ValueOutOfRange, pa.ArrowException, AttributeError, TypeError, ValueError, ArithmeticError)
"""What a converter or Arrow says of a value that the column cannot hold."""
