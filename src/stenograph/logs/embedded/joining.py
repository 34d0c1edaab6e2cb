"""Joins segments, or stretches of them, to the sequences of one batch.

Reads no file. A string is copied once at most, and no object is made for a record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stenograph.logs.embedded.headers import unpack_headers
from stenograph.logs.embedded.segment import Choices, Layout, Lengths, Segment, Strings
from stenograph.packing import Bools, Coded, Codes, Packed, large_binary
from stenograph.ports import Headers

T = TypeVar("T")


class Joined:
    """The records taken so far, in the order in which they were taken.

    The sequences are made when they are asked for; ValueError then for a lane or headers that cannot be read.
    """

    def __init__(self) -> None:
        self.count = 0
        self._timestamps: list[memoryview] = []
        self._columns = (_Column(), _Column(), _Column())
        self._lanes = _Choices(_lane)
        self._headers = _Choices(_headers)

    def take(self, segment: Segment, first: int, stop: int) -> None:
        """Take the segment's records from `first` up to but not including `stop`."""
        self.count += stop - first
        self._timestamps.append(segment.timestamps[first * 8 : stop * 8])
        for column, strings in zip(
            self._columns, (segment.values, segment.keys, segment.orders), strict=True
        ):
            column.take(strings, segment.count, first, stop)
        self._lanes.take(segment.lanes, first, stop)
        self._headers.take(segment.headers, first, stop)

    def timestamps(self) -> Sequence[int]:
        """Milliseconds since 1970 UTC."""
        return np.frombuffer(b"".join(self._timestamps), "<i8").astype(np.int64, copy=False).data

    def values(self) -> Packed:
        """The values."""
        return self._columns[0].packed()

    def keys(self) -> Packed:
        """The keys."""
        return self._columns[1].packed()

    def orders(self) -> Packed:
        """The orders."""
        return self._columns[2].packed()

    def lanes(self) -> Coded[str | None]:
        """The lanes."""
        return self._lanes.coded()

    def headers(self) -> Coded[Headers]:
        """The other headers."""
        return self._headers.coded()


class _Column:
    """Strings from one segment after another. A run without `lengths` has all of its strings of one width."""

    def __init__(self) -> None:
        self._data: list[memoryview] = []
        self._counts: list[int] = []
        self._widths: list[int] = []
        self._lengths: list[Lengths | None] = []
        self._present: list[Bools | bool] = []

    def take(self, strings: Strings, count: int, first: int, stop: int) -> None:
        taken = stop - first
        width, lengths = 0, strings.lengths
        if lengths is None:
            width = len(strings.data) // count
            begin, end = first * width, stop * width
        else:
            begin, end = 0, len(strings.data)
            if taken < count:
                begin = int(lengths[:first].sum(dtype=np.int64))
                lengths = lengths[first:stop]
                end = begin + int(lengths.sum(dtype=np.int64))
        self._data.append(strings.data[begin:end])
        self._counts.append(taken)
        self._widths.append(width)
        self._lengths.append(lengths)
        if strings.present is not None:
            self._present.append(strings.present[first:stop])
        else:
            self._present.append(strings.layout is not Layout.NOBODY)

    def packed(self) -> Packed:
        count = sum(self._counts)
        starts = np.zeros(count + 1, np.int64)
        np.cumsum(self._all_lengths(), out=starts[1:])
        validity = None
        if not all(present is True for present in self._present):
            every = [
                np.full(counted, present) if isinstance(present, bool) else present
                for present, counted in zip(self._present, self._counts, strict=True)
            ]
            validity = pa.py_buffer(np.packbits(np.concatenate(every), bitorder="little").tobytes())
        return Packed(large_binary(starts, pa.py_buffer(self._all_data()), validity))

    def _all_lengths(self) -> npt.NDArray[np.integer]:
        if all(lengths is None for lengths in self._lengths):
            return np.repeat(np.array(self._widths, np.int64), np.array(self._counts, np.int64))
        every = [
            np.full(counted, width, np.uint32) if lengths is None else lengths
            for lengths, width, counted in zip(self._lengths, self._widths, self._counts, strict=True)
        ]
        return every[0] if len(every) == 1 else np.concatenate(every)

    def _all_data(self) -> bytes | memoryview:
        if len(self._data) == 1:
            (only,) = self._data
            # A view keeps the whole segment in memory: not for a small part of it.
            if 2 * len(only) >= len(memoryview(only.obj)):
                return only
        return b"".join(self._data)


class _Choices(Generic[T]):
    """Codes from one dictionary after another, turned into codes of one dictionary."""

    def __init__(self, read: Callable[[bytes | None], T]) -> None:
        self._read = read
        self._places: dict[bytes | None, int] = {}
        self._counts: list[int] = []
        self._codes: list[Codes | int] = []

    def take(self, choices: Choices, first: int, stop: int) -> None:
        places = [self._places.setdefault(choice, len(self._places)) for choice in choices.choices]
        self._counts.append(stop - first)
        if choices.codes is None:
            self._codes.append(places[0])
        else:
            self._codes.append(np.array(places, np.int32)[choices.codes[first:stop]])

    def coded(self) -> Coded[T]:
        choices = tuple(self._read(choice) for choice in self._places)
        if all(isinstance(code, int) for code in self._codes):
            return Coded(
                choices, np.repeat(np.array(self._codes, np.int32), np.array(self._counts, np.int64))
            )
        every = [
            np.full(counted, code, np.int32) if isinstance(code, int) else code
            for code, counted in zip(self._codes, self._counts, strict=True)
        ]
        return Coded(choices, np.concatenate(every))


def _lane(choice: bytes | None) -> str | None:
    return None if choice is None else choice.decode()


def _headers(choice: bytes | None) -> Headers:
    if choice is None:
        raise ValueError("A record's headers are not there.")
    return unpack_headers(choice)
