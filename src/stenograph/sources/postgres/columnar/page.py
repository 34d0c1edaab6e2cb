"""The bytes that the records of one run are made of, cut into numbered pieces: what is constant, received and made.

Decides nothing of a record: who composes one says which pieces stand in it, and `composed` copies each once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stenograph.packing import Ints, large_binary
from stenograph.sources.postgres.columnar.constants import TABLED, Constants
from stenograph.sources.postgres.columnar.numbers import Matrix, Words, varint_sizes, varints, zigzag

Pieces = npt.NDArray[np.int32]
"""A piece's number for each row."""
Piece = Pieces | int
"""One for each row, or one for all."""
_TAIL: Final = bytes(32)
"""So that what an emitter looks at lies within the page, also where the last column has no text."""


class Page:
    """The pieces of one run: the constants, then the fields of its text, then what is added.

    `words` are the eight bytes from each place of `text` on. Both are indexed by the places in which fields stand.
    """

    def __init__(self, constants: Constants, text: Sequence[bytes]) -> None:
        self.constants = constants
        self.first = len(constants.bytes)
        self._buffer = bytearray().join((constants.bytes, *text, _TAIL))
        self.text: Matrix = np.frombuffer(self._buffer, np.uint8)
        self.words: Words = np.ndarray((len(self._buffer) - 8,), "<u8", self._buffer, 0, (1,))
        self._starts = self._stops = np.empty((0, 0), np.int64)
        self._contents: list[Matrix] = [self.text]
        self._added: list[Ints] = []
        self._size = len(self._buffer)
        self._count = len(constants)

    def field_pieces(self, starts: Ints, stops: Ints) -> Pieces:
        """The pieces of the text's fields, as an array of columns by rows like `starts` and `stops`.

        Called once, before anything is added. Trap: `stops` may be moved until the page is composed.
        """
        self._starts, self._stops = starts, stops
        columns, rows = starts.shape
        first, past = self._count + 1, self._count + 1 + 2 * columns * rows
        self._count = past
        return np.arange(first, past, 2, dtype=np.int32).reshape(rows, columns).T

    def longs(self, typed: bytes, numbers: Ints) -> Pieces:
        """Pieces of `typed` and an Avro int or long."""
        if not len(numbers) or (int(numbers.min()) >= 0 and int(numbers.max()) < TABLED):
            return (numbers + self.constants.longs(typed)).astype(np.int32)
        unsigned = zigzag(numbers)
        sizes = varint_sizes(unsigned)
        made = varints(unsigned, sizes)
        slots = np.empty((len(numbers), made.shape[1] + 1), np.uint8)
        slots[:, 0] = typed[0] if typed else 0
        slots[:, 1:] = made
        return self.slots(slots, 1 - len(typed), sizes + 1)

    def slots(self, slots: Matrix, first: Ints | int, stop: Ints | int) -> Pieces:
        """Pieces of bytes `first` to `stop` of each row."""
        rows, width = slots.shape
        begins = np.arange(self._size, self._size + rows * width, width)
        stops = np.empty(2 * rows + 1, np.int64)
        stops[0:-1:2] = begins + first
        stops[1::2] = begins + stop
        # What is left of the last row belongs to no piece that is used.
        stops[-1] = self._size + rows * width
        number = self._add(slots.reshape(-1), stops)
        return np.arange(number + 1, number + 1 + 2 * rows, 2, dtype=np.int32)

    def rows(self, matrix: Matrix) -> Pieces:
        """Pieces of whole rows."""
        rows, width = matrix.shape
        number = self._add(matrix.reshape(-1), self._size + width * np.arange(1, rows + 1))
        return np.arange(number, number + rows, dtype=np.int32)

    def values(self, values: Sequence[bytes]) -> Pieces:
        """Pieces of these bytes."""
        stops = self._size + np.cumsum(np.fromiter(map(len, values), np.int64, len(values)))
        number = self._add(np.frombuffer(b"".join(values), np.uint8), stops)
        return np.arange(number, number + len(values), dtype=np.int32)

    def taken(self, starts: Ints, stops: Ints) -> pa.LargeBinaryArray:
        """Stretches of the text as an array; each begins where the one before it ends, or after."""
        if not len(starts):
            return pa.array([], pa.large_binary())
        bounds = np.empty(2 * len(starts), np.int64)
        bounds[0::2], bounds[1::2] = starts, stops
        return _taken(_array(bounds, self.text), np.arange(0, len(bounds), 2, dtype=np.int32))

    def composed(self, *matrices: Pieces) -> list[pa.LargeBinaryArray]:
        """The records that the rows of each matrix of pieces are."""
        bounds = np.concatenate([self.constants.bounds, self._fields(), *self._added])
        of = _array(bounds, np.concatenate(self._contents))
        pieces = np.concatenate([matrix.reshape(-1) for matrix in matrices])
        _, ends, data = _taken(of, pieces).buffers()
        assert ends is not None
        assert data is not None
        stops = np.frombuffer(memoryview(ends), np.int64, len(pieces) + 1)
        made, place = [], 0
        for rows, width in (matrix.shape for matrix in matrices):
            of_rows = stops[place : place + rows * width + 1 : width].copy()
            made.append(large_binary(of_rows, data))
            place += rows * width
        return made

    def _fields(self) -> Ints:
        columns, rows = self._starts.shape
        bounds = np.empty(2 * columns * rows + 1, np.int64)
        by_row = bounds[:-1].reshape(rows, columns, 2)
        by_row[:, :, 0] = self._starts.T
        by_row[:, :, 1] = self._stops.T
        bounds[-1] = len(self._buffer)
        return bounds

    def _add(self, content: Matrix, stops: Ints) -> int:
        number = self._count
        self._contents.append(content)
        self._added.append(stops)
        self._size += len(content)
        self._count += len(stops)
        return number


def _array(bounds: Ints, content: Matrix) -> pa.LargeBinaryArray:
    return large_binary(bounds, pa.py_buffer(content.data))


def _taken(array: pa.LargeBinaryArray, places: Pieces) -> pa.LargeBinaryArray:
    return pc.take(array, pa.array(places, pa.int32()), boundscheck=False)
