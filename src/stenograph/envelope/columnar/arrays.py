"""Arrow arrays out of numbers and out of spans of a window.

Knows no column type's meaning. What is not valid is null.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stenograph.envelope.columnar.nodes import Raw
from stenograph.envelope.columnar.window import Bytes, Window, buffer_of
from stenograph.packing import Bools, Ints

if TYPE_CHECKING:
    Array = pa.Array[Any]
else:
    Array = pa.Array

N = TypeVar("N", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Made:
    """One column of some records.

    `refused`: the converter refuses the value; `unread`: the record is none at all. None is nowhere. In both places
    the array is null.
    """

    array: Array
    refused: Bools | None = None
    unread: Bools | None = None


def as_numpy(buffer: pa.Buffer, of: type[N]) -> npt.NDArray[N]:
    """The buffer as numbers, not copied."""
    return np.frombuffer(cast("memoryview[int]", buffer), of)


def bitmap(valid: Bools | None) -> pa.Buffer | None:
    """Arrow's validity; None where all are valid."""
    if valid is None or valid.all():
        return None
    return buffer_of(np.packbits(valid, bitorder="little"))


def of_numbers(values: npt.NDArray[Any], valid: Bools | None, of: pa.DataType) -> Array:
    """The numbers as an array of a type as wide as they are."""
    buffer = buffer_of(np.ascontiguousarray(values))
    return pa.Array.from_buffers(of, len(values), [bitmap(valid), buffer])


def of_booleans(values: Bools, valid: Bools | None) -> Array:
    """Booleans, which Arrow keeps as bits."""
    buffer = buffer_of(np.packbits(values, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [bitmap(valid), buffer])


def valid_of(raw: Raw, sound: Bools | None) -> Bools | None:
    """Where there is a value that can be trusted."""
    if sound is None:
        return raw.valid
    return sound if raw.valid is None else raw.valid & sound


def of_bytes(window: Window, raw: Raw, valid: Bools | None) -> Array:
    """The spans' bytes as one compact binary array."""
    starts, lengths = raw.values, raw.lengths
    assert lengths is not None
    if valid is not None and not valid.all():
        lengths = np.where(valid, lengths, 0)
        # Places never go back, also where there is no value.
        starts = np.maximum.accumulate(np.where(valid, starts, 0))
    count = len(starts)
    offsets = np.empty(2 * count + 1, np.int32)
    offsets[0:-1:2] = starts
    np.add(starts, lengths, out=offsets[1::2], casting="unsafe")
    offsets[-1] = window.size
    # Every second value is what lies between two spans.
    all_of_it = pa.Array.from_buffers(pa.binary(), 2 * count, [None, buffer_of(offsets), window.buffer])
    wanted = pc.take(all_of_it, _evens(count), boundscheck=False)
    if valid is None:
        return wanted
    _, ends, data = wanted.buffers()
    return pa.Array.from_buffers(pa.binary(), count, [bitmap(valid), ends, data], offset=wanted.offset)


@lru_cache(maxsize=4)
def _evens(count: int) -> Array:
    return pa.array(np.arange(0, 2 * count, 2, dtype=np.int64))


def of_text(window: Window, raw: Raw, valid: Bools | None) -> tuple[Array, Bools | None]:
    """The spans as strings, and where they are no text."""
    array = of_bytes(window, raw, valid)
    if is_ascii(array):
        return as_text(array), None
    text = as_text(array)
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        broken = np.array([not _is_text(value) for value in array.to_pylist()], np.bool_)
        kept = ~broken if valid is None else valid & ~broken
        return as_text(of_bytes(window, raw, kept)), broken
    return text, None


def as_text(array: Array) -> Array:
    """Binary as string, without a look at it."""
    valid, ends, data = array.buffers()
    return pa.Array.from_buffers(pa.string(), len(array), [valid, ends, data], offset=array.offset)


def as_binary(array: Array) -> Array:
    """String as binary."""
    valid, ends, data = array.buffers()
    return pa.Array.from_buffers(pa.binary(), len(array), [valid, ends, data], offset=array.offset)


def is_ascii(array: Array) -> bool:
    """Whether a binary array without slack has ASCII alone, null or not."""
    return bool(bytes_of(array).max(initial=0) < 128)


def bytes_of(array: Array) -> Bytes:
    """All the bytes of a binary array, one value behind the other."""
    data = array.buffers()[2]
    if data is None or not len(array):
        return np.zeros(0, np.uint8)
    places = offsets_of(array)
    return as_numpy(data, np.uint8)[places[0] : places[-1]]


def offsets_of(array: Array) -> npt.NDArray[np.int32]:
    """Where the values of a string or binary array begin in its buffer, and the end of the last."""
    ends = array.buffers()[1]
    if ends is None or not len(array):
        return np.zeros(1, np.int32)
    return as_numpy(ends, np.int32)[array.offset : array.offset + len(array) + 1]


def _is_text(value: bytes | None) -> bool:
    try:
        str(value or b"", "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def any_of(first: Bools | None, second: Bools | None) -> Bools | None:
    """Where one of the two is."""
    if first is None or second is None:
        return second if first is None else first
    return first | second


def nulls(count: int, of: pa.DataType) -> Array:
    """So many nulls."""
    return cast(Array, pa.nulls(count, cast(Any, of)))


def chained(arrays: list[Array], of: pa.DataType) -> Array:
    """The arrays one behind the other."""
    if len(arrays) == 1:
        return arrays[0]
    return pa.concat_arrays(arrays) if arrays else pa.array([], of)


def grown(which: Ints, values: Bools | None, count: int) -> Bools | None:
    """The truths in their places among `count`."""
    if values is None:
        return None
    all_of_it = np.zeros(count, np.bool_)
    all_of_it[which] = values
    return all_of_it
