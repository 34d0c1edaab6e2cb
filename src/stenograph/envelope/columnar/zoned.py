"""Instants written as text, `2024-07-01T12:00:00.123456Z`, as microseconds since 1970.

Reads the layout that Debezium and our capturers write; the reference is asked about every other.
"""

from __future__ import annotations

from typing import Final, cast

import numpy as np
import pyarrow as pa

from stenograph.envelope.columnar.arrays import Made, of_numbers, of_text, valid_of
from stenograph.envelope.columnar.civil import days_since_1970
from stenograph.envelope.columnar.nodes import Raw
from stenograph.envelope.columnar.window import Bytes, Window
from stenograph.envelope.values import Convert
from stenograph.errors import ValueOutOfRange
from stenograph.packing import Bools, Ints

_SHORTEST, _LONGEST = len("2024-07-01T12:00:00Z"), len("2024-07-01T12:00:00.123456Z")
_MARKS: Final = ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"))
_TENS: Final = (0, 2, 5, 8, 11, 14, 17)
"""Where a number of two digits begins; the year is two of them."""
_MONTH_DAYS: Final = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] + [0] * 87, np.uint8)


class Zoned:
    """Makes the instants; one that the reference refuses is refused."""

    def __init__(self, of: pa.DataType, convert: Convert) -> None:
        self._type = of
        self._convert = convert

    def __call__(self, window: Window, raw: Raw, sound: Bools | None) -> Made:
        """See `Finish`."""
        assert raw.lengths is not None
        valid = valid_of(raw, sound)
        micros, known = instants(window, raw.values, raw.lengths)
        unsure = ~known if valid is None else ~known & valid
        if not unsure.any():
            return Made(of_numbers(micros, valid, self._type))
        which = np.flatnonzero(unsure)
        refused, broken = np.zeros(len(micros), np.bool_), np.zeros(len(micros), np.bool_)
        texts, no_text = of_text(window, Raw(raw.values[which], raw.lengths[which]), None)
        if no_text is not None:
            broken[which] = no_text
        for place, value in zip(which.tolist(), texts.to_pylist(), strict=True):
            if value is not None and not broken[place]:
                try:
                    micros[place] = cast(int, self._convert(value))
                except ValueOutOfRange:
                    refused[place] = True
        kept = ~(refused | broken) if valid is None else valid & ~(refused | broken)
        return Made(of_numbers(micros, kept, self._type), refused, broken)


def instants(window: Window, starts: Ints, lengths: Ints) -> tuple[Ints, Bools]:
    """Microseconds since 1970, and where the text was of the usual layout."""
    char = [window.byte(starts + place) for place in range(_SHORTEST)]
    known = (lengths >= _SHORTEST) & (lengths <= _LONGEST) & (lengths != _SHORTEST + 1)
    for place, mark in _MARKS:
        known &= char[place] == ord(mark)
    pairs = []
    for place in _TENS:
        ten, one = char[place] - _ZERO, char[place + 1] - _ZERO
        known &= (ten < 10) & (one < 10)
        pairs.append(ten * _TEN + one)
    fraction, fits = _fraction(window, starts, lengths, char[-1])
    known &= fits
    century, year_of, month, day, hour, minute, second = pairs
    year = century.astype(np.int32) * 100 + year_of
    known &= (year > 0) & (day > 0) & (hour < 24) & (minute < 60) & (second < 60)
    leaps = (year & 3 == 0) & ((year_of != 0) | (century & 3 == 0))
    known &= day <= _MONTH_DAYS.take(month, mode="clip") - ((month == 2) & ~leaps)
    seconds = (hour * np.int32(3600) + minute * np.int32(60) + second).astype(np.int64)
    return (days_since_1970(year, month, day) * 86_400 + seconds) * 1_000_000 + fraction, known


_ZERO, _TEN = np.uint8(ord("0")), np.uint8(10)


def _fraction(window: Window, starts: Ints, lengths: Ints, mark: Bytes) -> tuple[Ints, Bools]:
    """The microseconds behind the point, and whether point, digits and Z are where they must be."""
    is_whole = lengths == _SHORTEST
    if is_whole.all():
        return np.zeros(len(starts), np.int64), mark == ord("Z")
    fits = np.where(is_whole, mark == ord("Z"), mark == ord("."))
    fraction = np.zeros(len(starts), np.int32)
    for place in range(_SHORTEST, _LONGEST - 1):
        digit = window.byte(starts + place) - _ZERO
        # Behind the last digit stands what counts as nothing.
        there = lengths > place + 1
        fits &= (digit < 10) | ~there
        fraction = fraction * 10 + np.where(there, digit, 0)
    fits &= window.byte(starts + lengths - 1) == ord("Z")
    return fraction.astype(np.int64), fits
