"""The bytes of a segment: some records of one partition, as one blob of parallel arrays.

All numbers are little-endian, and there is no padding. A head of 28 bytes:

    u8   version of this format: 1
    u8   layout of the values, then of the keys, then of the orders
    u32  count of records
    u32  bytes of data of the values, then of the keys, then of the orders
    u32  bytes of the lanes' section, then of the headers' section

Then the timestamps, an i64 for each record; then values, keys and orders, each as its layout says; then the two
sections. The layouts:

    0  no record has one: nothing
    1  every record has one of the same length: the data, end to end
    2  every record has one: a u32 length for each record, then the data
    3  some have one: a bit for each record (lowest first, 1 where it has one), the lengths, then the data

A section is a dictionary: a u32 count of choices; for each choice a u32 length, all bits set for none; the choices'
bytes; and, where there are several choices, the u32 number of one for each record. A lane is UTF-8, headers are packed
as in `headers.py`.

A segment holds no offset, so it means the same wherever it lies. Its parts must fit together; what they hold has no
checksum, because the rest of the file has none either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from struct import Struct
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stenograph.logs.embedded.headers import pack_headers
from stenograph.packing import Bools, Coded, Ints, bounds
from stenograph.ports import Headers

VERSION: Final = 1
HEAD = Struct("<BBBBIIIIII")
NONE: Final = 0xFFFFFFFF
_ONE: Final = (1).to_bytes(4, "little")
_REMEMBERED_BYTES: Final = 256

Piece = bytes | memoryview
Lengths = npt.NDArray[np.uint32]


class Layout(IntEnum):
    """How a column's strings lie in a segment."""

    NOBODY = 0
    ALIKE = 1
    EACH = 2
    SOME = 3


class SegmentPacker:
    """Packs stretches of a batch; the arrays are made once for all of them."""

    def __init__(
        self,
        timestamps: Ints,
        values: pa.LargeBinaryArray,
        keys: pa.LargeBinaryArray,
        orders: pa.LargeBinaryArray,
        lanes: Coded[str | None],
        headers: Coded[Headers],
    ) -> None:
        self._timestamps = np.ascontiguousarray(timestamps, "<i8").data.cast("B")
        self._columns = (_Strings(values), _Strings(keys), _Strings(orders))
        self._sections = (
            _Dictionary([None if lane is None else lane.encode() for lane in lanes.choices], lanes.codes),
            _Dictionary([pack_headers(choice) for choice in headers.choices], headers.codes),
        )

    def pack(self, first: int, stop: int) -> list[Piece]:
        """The segment of the records from `first` up to but not including `stop`, to be written end to end."""
        pieces: list[Piece] = [b"", self._timestamps[first * 8 : stop * 8]]
        sizes = [column.cut(first, stop, pieces) for column in self._columns]
        sections = [section.cut(first, stop) for section in self._sections]
        layouts = (column.layout for column in self._columns)
        pieces[0] = HEAD.pack(VERSION, *layouts, stop - first, *sizes, *map(len, sections))
        return pieces + sections


class _Strings:
    """A column of byte strings, ready to be cut."""

    def __init__(self, array: pa.LargeBinaryArray) -> None:
        data = array.buffers()[2]
        self._data = memoryview(b"") if data is None else memoryview(data).cast("B")
        self._bounds = bounds(array)
        self._lengths: Lengths = np.diff(self._bounds).astype("<u4")
        self._present: Bools | None = None
        self.layout = Layout.EACH
        if array.null_count == len(array):
            self.layout = Layout.NOBODY
        elif array.null_count:
            self._present = array.is_valid().to_numpy(zero_copy_only=False)
            self.layout = Layout.SOME
        elif (self._lengths == self._lengths[0]).all():
            self.layout = Layout.ALIKE

    def cut(self, first: int, stop: int, pieces: list[Piece]) -> int:
        """Add the pieces of this stretch; return the bytes of data among them."""
        if self.layout is Layout.NOBODY:
            return 0
        if self._present is not None:
            pieces.append(np.packbits(self._present[first:stop], bitorder="little").tobytes())
        if self.layout is not Layout.ALIKE:
            pieces.append(self._lengths[first:stop].tobytes())
        begin, end = int(self._bounds[first]), int(self._bounds[stop])
        pieces.append(self._data[begin:end])
        return end - begin


class _Dictionary:
    """A column with few choices, ready to be cut."""

    def __init__(self, choices: Sequence[bytes | None], codes: npt.NDArray[np.int32]) -> None:
        self._choices = choices
        self._codes = codes
        self._whole = _section(choices) if len(choices) == 1 else None

    def cut(self, first: int, stop: int) -> bytes:
        """The section of this stretch, with the choices that occur in it."""
        if self._whole is not None:
            return self._whole
        used, codes = np.unique(self._codes[first:stop], return_inverse=True)
        section = _section([self._choices[code] for code in used.tolist()])
        return section if len(used) == 1 else section + codes.astype("<u4").tobytes()


def _section(choices: Sequence[bytes | None]) -> bytes:
    lengths = [NONE if choice is None else len(choice) for choice in choices]
    return np.array([len(choices), *lengths], "<u4").tobytes() + b"".join(choice or b"" for choice in choices)


@dataclass(frozen=True, slots=True)
class Strings:
    """A column of a segment as it lies there; `lengths` and `present` are None where the layout has none."""

    layout: Layout
    data: memoryview
    lengths: Lengths | None
    present: Bools | None

    def lengths_of(self, count: int) -> Lengths:
        """The length of every one of the segment's `count` strings; 0 where there is none."""
        if self.lengths is not None:
            return self.lengths
        return np.full(count, len(self.data) // count, np.uint32)


@dataclass(frozen=True, slots=True)
class Choices:
    """A section of a segment; `codes` is None where all records have the one choice there is."""

    choices: tuple[bytes | None, ...]
    codes: Lengths | None


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment whose parts fit together, as views of its bytes."""

    count: int
    timestamps: memoryview
    values: Strings
    keys: Strings
    orders: Strings
    lanes: Choices
    headers: Choices


def open_segment(payload: bytes) -> Segment:
    """The segment with these bytes; ValueError where they are none, or are damaged."""
    if len(payload) < HEAD.size:
        raise ValueError("The segment ends inside its head.")
    version, *layouts, count, values, keys, orders, lanes, headers = HEAD.unpack_from(payload)
    if version != VERSION:
        raise ValueError(f"The segment has the version {version}.")
    if count == 0:
        raise ValueError("The segment is empty.")
    rest = _Rest(memoryview(payload), HEAD.size)
    stamps = rest.take(8 * count)
    columns = [rest.strings(*column, count) for column in zip(layouts, (values, keys, orders), strict=True)]
    sections = [_choices(rest.take(size), count) for size in (lanes, headers)]
    rest.refuse_more()
    return Segment(count, stamps, columns[0], columns[1], columns[2], sections[0], sections[1])


class _Rest:
    """What of a segment has not been taken yet."""

    def __init__(self, payload: memoryview, at: int) -> None:
        self._payload = payload
        self._at = at

    def take(self, size: int) -> memoryview:
        first, self._at = self._at, self._at + size
        if self._at > len(self._payload):
            raise ValueError("The segment ends inside its arrays.")
        return self._payload[first : self._at]

    def strings(self, layout: int, size: int, count: int) -> Strings:
        kind = Layout(layout)
        if kind is Layout.NOBODY or kind is Layout.ALIKE:
            if size % count or (size and kind is Layout.NOBODY):
                raise ValueError("A column's bytes do not fit its count of records.")
            return Strings(kind, self.take(size), None, None)
        present: Bools | None = None
        if kind is Layout.SOME:
            bits = np.frombuffer(self.take((count + 7) // 8), np.uint8)
            present = np.unpackbits(bits, count=count, bitorder="little").view(np.bool_)
        lengths: Lengths = np.frombuffer(self.take(4 * count), "<u4")
        if int(lengths.sum(dtype=np.int64)) != size:
            raise ValueError("A column's lengths are not those of its bytes.")
        return Strings(kind, self.take(size), lengths, present)

    def refuse_more(self) -> None:
        if self._at != len(self._payload):
            raise ValueError("The segment has bytes left over.")


def _choices(section: memoryview, count: int) -> Choices:
    if section[:4] == _ONE and len(section) <= _REMEMBERED_BYTES:
        return _one_choice(section.tobytes())
    rest = _Rest(section, 0)
    number = int.from_bytes(rest.take(4), "little")
    lengths = np.frombuffer(rest.take(4 * number), "<u4").tolist()
    choices = tuple(None if length == NONE else bytes(rest.take(length)) for length in lengths)
    codes: Lengths | None = None
    if number != 1:
        codes = np.frombuffer(rest.take(4 * count), "<u4")
        if int(codes.max()) >= number:
            raise ValueError("A record's choice is none of its dictionary.")
    rest.refuse_more()
    return Choices(choices, codes)


@lru_cache(maxsize=1024)
def _one_choice(section: bytes) -> Choices:
    """The section of the one lane, or of the one set of headers, that nearly every segment has."""
    length = int.from_bytes(section[4:8], "little")
    if len(section) != 8 + (0 if length == NONE else length):
        raise ValueError("A dictionary's choice is not as long as it says.")
    return Choices((None if length == NONE else section[8:],), None)
