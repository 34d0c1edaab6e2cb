"""Framed messages as windows to be read together, and what makes a record sound as a whole.

Knows Confluent's prefix and no schema.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stenograph.envelope.columnar.arrays import as_numpy, of_text
from stenograph.envelope.columnar.nodes import Raw
from stenograph.envelope.columnar.window import Cursor, Window
from stenograph.envelope.framing import PREFIX_BYTES
from stenograph.packing import Bools, bounds
from stenograph.schemas import SchemaId

_WINDOW_BYTES = 1 << 22
_WINDOW_ROWS = 1 << 13
"""Records read together: what a processor keeps near, and enough that a call costs little for each."""
_HUGE = 1 << 30
"""Arrow counts a string's bytes with 31 bits."""


def windows(values: pa.LargeBinaryArray) -> list[Window]:
    """The values in windows of a size to be read together, in order; a huge one is shown as empty."""
    offsets, buffer = bounds(values), values.buffers()[2]
    data = np.zeros(0, np.uint8) if buffer is None else as_numpy(buffer, np.uint8)
    found = []
    first, count = 0, len(values)
    while first < count:
        last = int(np.searchsorted(offsets, offsets[first] + _WINDOW_BYTES, "right")) - 1
        last = min(max(last, first + 1), first + _WINDOW_ROWS, count)
        places = offsets[first : last + 1] - offsets[first]
        if places[-1] >= _HUGE:
            places = np.zeros(2, np.int64)
        found.append(Window(data[offsets[first] : offsets[first] + places[-1]], places[:-1], places[1:]))
        first = last
    return found


def opened(window: Window, schema_id: SchemaId | None) -> Cursor:
    """A cursor behind Confluent's prefix; a record with another prefix is marked wrong."""
    prefix = window.word(window.starts)
    wrong = (prefix & np.uint64(0xFF)) != 0
    if schema_id is not None:
        wanted = np.uint64(int.from_bytes(schema_id.to_bytes(4, "big"), "little"))
        wrong |= ((prefix >> np.uint64(8)) & np.uint64(0xFFFFFFFF)) != wanted
    return Cursor(window, window.starts + PREFIX_BYTES, None, wrong)


def closed(cursor: Cursor) -> Bools:
    """Where the datum ends with its record, and the texts that no column holds are text."""
    window = cursor.window
    sound: Bools = (cursor.at == cursor.ends) & ~cursor.wrong
    for rows, starts, lengths in window.texts:
        trusted = sound if rows is None else sound[rows]
        broken = of_text(window, Raw(starts, lengths), trusted)[1]
        if broken is not None:
            sound[broken if rows is None else rows[broken]] = False
    return sound
