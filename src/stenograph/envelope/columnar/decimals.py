"""Decimals: unscaled numbers, big endian, as 128 bits or as their text.

Refuses what `envelope.values` refuses; where 128 bits are not enough, the reference is asked.
"""

from __future__ import annotations

import io
from typing import Any, Final, cast

import fastavro
import numpy as np
import pyarrow as pa

from stenograph.envelope.columnar.arrays import Array, Made, of_bytes, of_numbers, valid_of
from stenograph.envelope.columnar.nodes import Raw
from stenograph.envelope.columnar.numbers import checked
from stenograph.envelope.columnar.window import Window
from stenograph.envelope.emitters import long_bytes
from stenograph.envelope.values import Convert
from stenograph.errors import ValueOutOfRange
from stenograph.packing import Bools, Ints
from stenograph.schemas import AvroType

_DIGITS: Final = 38
"""What 128 bits hold."""


class Decimals:
    """As Arrow's decimals; one of more digits than the precision is refused."""

    def __init__(self, precision: int, scale: int) -> None:
        self._type = pa.decimal128(precision, scale)
        self._most = 10**precision - 1

    def __call__(self, window: Window, raw: Raw, sound: Bools | None) -> Made:
        """See `Finish`."""
        assert raw.lengths is not None
        both = _unscaled(window, raw.values, raw.lengths)
        # Longer ones may still be small numbers, written long: whoever reads one by one finds out.
        allowed = (raw.lengths >= 0) & (raw.lengths <= 16) & _fits(both, self._most)
        return checked(both, allowed, raw, sound, self._type)


class NumberTexts:
    """As text, in digits alone; the scale stands in the value, or is the type's."""

    def __init__(self, scale: int | None, avro: AvroType, convert: Convert) -> None:
        self._scale = scale
        self._schema = fastavro.parse_schema(cast(Any, avro))
        self._convert = convert

    def __call__(self, window: Window, raw: Raw, sound: Bools | None) -> Made:
        """See `Finish`."""
        assert raw.lengths is not None
        valid = valid_of(raw, sound)
        there = np.arange(len(raw.values)) if valid is None else np.flatnonzero(valid)
        starts, lengths = raw.values[there], raw.lengths[there]
        scales = np.full(len(there), self._scale) if raw.scales is None else raw.scales[there]
        both = _unscaled(window, starts, lengths)
        is_quick = (lengths <= 16) & (scales >= 0) & (scales <= _DIGITS) & _fits(both, 10**_DIGITS - 1)
        texts: list[Array] = []
        places: list[Ints] = []
        for scale in np.unique(scales[is_quick]).tolist():
            which = np.flatnonzero(is_quick & (scales == scale))
            # Arrow writes a small number with an exponent, from seven zeros behind the point on.
            is_large = ~_fits(both[which], max(10 ** (scale - 6) - 1, 0) if scale > 6 else -1)
            is_quick[which[~is_large]] = False
            which = which[is_large]
            decimals = of_numbers(both[which], None, pa.decimal128(_DIGITS, scale))
            texts.append(decimals.cast(pa.string()))
            places.append(there[which])
        refused = np.zeros(len(raw.values), np.bool_)
        slow = np.flatnonzero(~is_quick)
        texts.append(pa.array(self._slow(window, starts[slow], lengths[slow], scales[slow]), pa.string()))
        places.append(there[slow])
        refused[there[slow]] = np.asarray(texts[-1].is_null())
        return Made(_placed(texts, places, len(raw.values)), refused if refused.any() else None)

    def _slow(self, window: Window, starts: Ints, lengths: Ints, scales: Ints) -> list[str | None]:
        found: list[str | None] = []
        data = of_bytes(window, Raw(starts, lengths), None).to_pylist()
        for value, scale in zip(cast(list[bytes], data), scales.tolist(), strict=True):
            own_scale = long_bytes(scale) if self._scale is None else b""
            datum = io.BytesIO(own_scale + long_bytes(len(value)) + value)
            try:
                found.append(cast(str, self._convert(fastavro.schemaless_reader(datum, self._schema, None))))
            except (ValueOutOfRange, ArithmeticError):
                found.append(None)
        return found


def _placed(parts: list[Array], places: list[Ints], count: int) -> Array:
    """The parts' values in their places among `count`; null elsewhere."""
    if len(places) == 2 and len(places[0]) == count:
        return parts[0]
    all_places = np.concatenate(places)
    order = np.full(count, -1, np.int64)
    order[all_places] = np.arange(len(all_places))
    return pa.concat_arrays(parts).take(pa.array(order, pa.int64(), mask=order < 0))


def _unscaled(window: Window, starts: Ints, lengths: Ints) -> Ints:
    """Two words each, the low one first; only of the numbers of at most sixteen bytes."""
    low = _low(window, starts, lengths)
    both = np.empty((len(low), 2), np.int64)
    both[:, 0] = low
    is_long = lengths > 8
    both[:, 1] = low >> 63
    if is_long.any():
        both[:, 1] = np.where(is_long, _high(window, starts, lengths), both[:, 1])
    return both


def _fits(both: Ints, most: int) -> Bools:
    """Where the number is at most so far from zero; nowhere for less than 0."""
    low, high = both[:, 0], both[:, 1]
    if most < 2**63:
        fits: Bools = (high == low >> 63) & (low <= most) & (low >= -most)
        return fits
    below = np.ascontiguousarray(low).view(np.uint64)
    top, rest = most >> 64, np.uint64(most & (2**64 - 1))
    bottom, under = -most >> 64, np.uint64(-most & (2**64 - 1))
    is_small = (high < top) | ((high == top) & (below <= rest))
    is_large = (high > bottom) | ((high == bottom) & (below >= under))
    within: Bools = is_small & is_large
    return within


def _low(window: Window, starts: Ints, lengths: Ints) -> Ints:
    """The last eight bytes, or all of fewer, as a signed number."""
    size = np.clip(lengths, 0, 8)
    # Read from the end, so that the last byte is the lowest; the bytes before the number are shifted out.
    word = window.word(starts + np.maximum(lengths - 8, 0)).byteswap()
    spare = (64 - (size << 3)).view(np.int64)
    number = word.view(np.int64) >> np.minimum(spare, 63)
    return np.where(size == 0, 0, number)


def _high(window: Window, starts: Ints, lengths: Ints) -> Ints:
    """The bytes before the last eight, as a signed number; only where there are any and at most eight."""
    size = np.clip(lengths - 8, 1, 8)
    word = window.word(starts).byteswap()
    return word.view(np.int64) >> (64 - (size << 3))
