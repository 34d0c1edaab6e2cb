"""Parallel sequences that hold many values without an object for each: what batches of records are made of.

They read like any other sequence, so that nobody has to know; who wants to be fast asks for the arrays inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar, cast, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

T = TypeVar("T")


class Packed(Sequence[bytes | None]):
    """Byte strings in one buffer; None where there is none.

    Trap: a value taken out is a copy, and made anew each time it is asked for.
    """

    __slots__ = ("array",)

    def __init__(self, array: pa.LargeBinaryArray) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, index: int) -> bytes | None: ...
    @overload
    def __getitem__(self, index: slice) -> Packed: ...
    def __getitem__(self, index: int | slice) -> bytes | Packed | None:
        if isinstance(index, slice):
            first, stop, step = index.indices(len(self))
            if step != 1:
                return Packed(pa.array(self.array.to_pylist()[index], pa.large_binary()))
            return Packed(self.array.slice(first, max(stop - first, 0)))
        return cast("bytes | None", self.array[index].as_py())

    def __iter__(self) -> Iterator[bytes | None]:
        return iter(self.array.to_pylist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Packed({len(self)} values)"


class Coded(Sequence[T], Generic[T]):
    """Values of which there are few different ones: `choices`, and for each place the number of its choice."""

    __slots__ = ("choices", "codes")

    def __init__(self, choices: Sequence[T], codes: Codes) -> None:
        self.choices = choices
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Coded[T]: ...
    def __getitem__(self, index: int | slice) -> T | Coded[T]:
        if isinstance(index, slice):
            return Coded(self.choices, self.codes[index])
        choice: T = self.choices[int(self.codes[index])]
        return choice

    def __iter__(self) -> Iterator[T]:
        choices = self.choices
        return (choices[code] for code in self.codes.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Coded({len(self)} values of {len(self.choices)})"


def packed(values: Sequence[bytes | None]) -> pa.LargeBinaryArray:
    """The values as one Arrow array; the one inside where they are packed already."""
    return values.array if isinstance(values, Packed) else pa.array(values, pa.large_binary())


def bounds(array: pa.LargeBinaryArray) -> Ints:
    """Where each string begins in the array's data, and where the last one ends."""
    starts = array.buffers()[1]
    if starts is None or not len(array):
        return np.zeros(1, np.int64)
    return np.frombuffer(memoryview(starts), np.int64)[array.offset : array.offset + len(array) + 1]


def large_binary(starts: Ints, data: pa.Buffer, validity: pa.Buffer | None = None) -> pa.LargeBinaryArray:
    """Strings that begin in the data at all places but the last, and stop where the next one begins."""
    buffers = [validity, pa.py_buffer(starts.data), data]
    return cast(pa.LargeBinaryArray, pa.Array.from_buffers(pa.large_binary(), len(starts) - 1, buffers))


def coded(values: Sequence[T]) -> Coded[T]:
    """The values by their choices, which must be hashable, in the order in which they first come."""
    if isinstance(values, Coded):
        return values
    if len(values) and values.count(values[0]) == len(values):
        return Coded((values[0],), np.zeros(len(values), np.int32))
    places: dict[T, int] = {}
    codes = [places.setdefault(value, len(places)) for value in values]
    return Coded(tuple(places), np.array(codes, np.int32))


def integers(values: Sequence[int]) -> Ints:
    """Whole numbers as an array of 64 bits."""
    if isinstance(values, range):
        return np.arange(values.start, values.stop, values.step, dtype=np.int64)
    return np.asarray(values, np.int64)
