"""Whole numbers, floats, decimals, dates and times as history columns hold them.

Refuses what `envelope.values` refuses; the two must agree number by number.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stenograph.envelope.columnar.arrays import Made, of_booleans, of_numbers, valid_of
from stenograph.envelope.columnar.nodes import Raw
from stenograph.envelope.columnar.window import Window
from stenograph.packing import Bools, Ints

_SENTINELS: Final = (2**63 - 1, -(2**63), 9223372036825200000, -9223372036832400000)


def checked(values: npt.NDArray[Any], allowed: Bools, raw: Raw, sound: Bools | None, of: pa.DataType) -> Made:
    """The numbers, those that are not allowed refused."""
    valid = valid_of(raw, sound)
    if allowed.all():
        return Made(of_numbers(values, valid, of))
    refused = ~allowed if valid is None else ~allowed & valid
    return Made(of_numbers(values, allowed if valid is None else allowed & valid, of), refused)


class Whole:
    """Integers of so many bits."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._dtype = np.dtype(f"i{bits // 8}")
        self._type = {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[bits]

    def __call__(self, window: Window, raw: Raw, sound: Bools | None) -> Made:
        """See `Finish`."""
        if self._bits == 64:
            return Made(of_numbers(raw.values, valid_of(raw, sound), self._type))
        narrow = raw.values.astype(self._dtype)
        return checked(narrow, narrow == raw.values, raw, sound, self._type)


class Plain:
    """Numbers that need no check: floats and durations."""

    def __init__(self, of: pa.DataType) -> None:
        self._type = of

    def __call__(self, window: Window, raw: Raw, sound: Bools | None) -> Made:
        """See `Finish`."""
        return Made(of_numbers(raw.values, valid_of(raw, sound), self._type))


def boolean(_: Window, raw: Raw, sound: Bools | None) -> Made:
    """Truths."""
    return Made(of_booleans(raw.values, valid_of(raw, sound)))


def day(_: Window, raw: Raw, sound: Bools | None) -> Made:
    """Days since 1970, the two infinities and what stands beside them refused."""
    allowed = (raw.values > -(2**31) + 1) & (raw.values < 2**31 - 1)
    return checked(raw.values.astype(np.int32), allowed, raw, sound, pa.date32())


class Micros:
    """Instants and times of day in microseconds, out of units of `factor` of them."""

    def __init__(self, of: pa.DataType, factor: int, allowed: range) -> None:
        self._type = of
        self._factor = factor
        self._low, self._high = -(-allowed.start // factor), (allowed.stop - 1) // factor
        exact = [s // factor for s in _SENTINELS if s % factor == 0]
        self._sentinels = [s for s in exact if self._low <= s <= self._high]

    def __call__(self, window: Window, raw: Raw, sound: Bools | None) -> Made:
        """See `Finish`."""
        values: Ints = raw.values
        allowed = (values >= self._low) & (values <= self._high)
        for sentinel in self._sentinels:
            allowed &= values != sentinel
        return checked(values * self._factor, allowed, raw, sound, self._type)
