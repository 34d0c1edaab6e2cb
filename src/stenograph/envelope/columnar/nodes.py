"""What each simple Avro type does to a cursor: objects that read one value of all records at once.

Makes no Arrow array and no value: a node gives numbers, or starts and lengths in the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from stenograph.envelope.columnar.window import Cursor
from stenograph.packing import Bools, Ints


class NotColumnar(Exception):
    """The schema has something that this reader does not do; the caller reads with the reference."""


@dataclass(slots=True)
class Raw:
    """What a node read of each record.

    `values` are numbers, or starts where there are `lengths`, or counts where there are `items`, which belong to the
    records in order. `scales` stand beside the lengths of decimals that bring their own. `valid` says where a value
    stands at all; None is everywhere.
    """

    values: npt.NDArray[Any]
    lengths: Ints | None = None
    valid: Bools | None = None
    items: Raw | None = None
    scales: Ints | None = None

    def spread(self, which: Ints, at: Ints) -> Raw:
        """As many as `at`, these in the places `which`; the others are null, and where spans, empty."""
        valid = np.zeros(len(at), np.bool_)
        valid[which] = True if self.valid is None else self.valid
        values = np.zeros(len(at), self.values.dtype) if self.lengths is None else at.copy()
        values[which] = self.values
        lengths = _grown(self.lengths, which, len(at))
        return Raw(values, lengths, valid, self.items, _grown(self.scales, which, len(at)))


def _grown(numbers: Ints | None, which: Ints, count: int) -> Ints | None:
    if numbers is None:
        return None
    grown = np.zeros(count, np.int64)
    grown[which] = numbers
    return grown


class Node(Protocol):
    """Reads one type's value in every record of a cursor."""

    least: int
    """The fewest bytes that a value takes."""

    def read(self, cursor: Cursor) -> Raw:
        """Move the cursor over the value; what is wrong is marked in the cursor."""

    def nothing(self, at: Ints) -> Raw:
        """Null everywhere."""


class _Numbers:
    least = 1
    dtype: npt.DTypeLike = np.int64

    def nothing(self, at: Ints) -> Raw:
        """See `Node`."""
        return Raw(np.zeros(len(at), self.dtype), None, np.zeros(len(at), np.bool_))


class _Spans:
    least = 1

    def nothing(self, at: Ints) -> Raw:
        """See `Node`."""
        return no_span(at)


def no_span(at: Ints) -> Raw:
    """Nothing, in as many places."""
    return Raw(at.copy(), np.zeros(len(at), np.int64), np.zeros(len(at), np.bool_))


class Boolean(_Numbers):
    """One byte; other than 0 and 1 is wrong."""

    dtype = np.bool_

    def read(self, cursor: Cursor) -> Raw:
        """See `Node`."""
        found = cursor.byte()
        if found.max(initial=0) > 1:
            cursor.wrong |= found > 1
        return Raw(found != 0)


class Long(_Numbers):
    """An int or a long: the reference does not tell them apart."""

    def read(self, cursor: Cursor) -> Raw:
        """See `Node`."""
        return Raw(cursor.long())


class SkippedLong(Long):
    """One that nobody asks for; the values are not its."""

    def read(self, cursor: Cursor) -> Raw:
        """See `Node`."""
        cursor.skip_long()
        return Raw(cursor.at)


class Floating(_Numbers):
    """A float or a double, as the bytes that it is."""

    def __init__(self, size: int) -> None:
        self.least = size
        self.dtype = np.float32 if size == 4 else np.float64

    def read(self, cursor: Cursor) -> Raw:
        """See `Node`."""
        word = cursor.window.word(cursor.fixed(self.least))
        if self.least == 4:
            return Raw(word.astype(np.uint32).view(np.float32))
        return Raw(word.view(np.float64))


class Span(_Spans):
    """Bytes, or a string whose text a column's finish checks."""

    def read(self, cursor: Cursor) -> Raw:
        """See `Node`."""
        start, length = cursor.span()
        return Raw(start, length)


class SkippedText(Span):
    """A string that nobody asks for: the window remembers to check it."""

    def read(self, cursor: Cursor) -> Raw:
        """See `Node`."""
        start, length = cursor.span()
        cursor.window.texts.append((cursor.rows, start, length))
        return Raw(start, length)


class Fixed(_Spans):
    """So many bytes."""

    def __init__(self, size: int) -> None:
        self.least = size

    def read(self, cursor: Cursor) -> Raw:
        """See `Node`."""
        return Raw(cursor.fixed(self.least), np.full(len(cursor), self.least, np.int64))


class Enumerated(_Numbers):
    """The number of a symbol."""

    def __init__(self, symbols: int) -> None:
        self.symbols = symbols

    def read(self, cursor: Cursor) -> Raw:
        """See `Node`."""
        number = cursor.long()
        cursor.wrong |= (number < 0) | (number >= self.symbols)
        return Raw(number)


class Scaled(_Spans):
    """Debezium's VariableScaleDecimal: its scale, then its unscaled bytes."""

    least = 2

    def read(self, cursor: Cursor) -> Raw:
        """See `Node`."""
        scales = cursor.long()
        start, length = cursor.span()
        return Raw(start, length, None, None, scales)

    def nothing(self, at: Ints) -> Raw:
        """See `Node`."""
        none = super().nothing(at)
        none.scales = np.zeros(len(at), np.int64)
        return none
