"""A chunk of records in one padded buffer, and the cursors that walk all of them together.

Knows Avro's numbers and no schema. Reads nothing outside its buffer: a place beyond it reads as its last byte.
"""

from __future__ import annotations

from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stenograph.packing import Bools, Ints

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

_PADDING: Final = 24
"""Room for the widest read that begins at the last byte, in whole words."""


class Window:
    """The bytes of some records, one behind the other.

    `starts` and `ends` are places in `bytes`; `buffer` is the same memory for Arrow. Trap: a place is one of this
    window's and of no other.
    """

    __slots__ = ("buffer", "bytes", "ends", "size", "starts", "texts", "words")

    def __init__(self, data: Bytes, starts: Ints, ends: Ints) -> None:
        self.size = len(data)
        padded = np.empty((self.size + _PADDING) // 8 * 8, np.uint8)
        padded[: self.size] = data
        padded[self.size :] = 0
        self.bytes = padded
        self.words = padded.view(np.uint64)
        self.buffer = buffer_of(padded)
        self.starts = starts
        self.ends = ends
        self.texts: list[tuple[Ints | None, Ints, Ints]] = []
        """Strings that no column holds and that must be text all the same: rows, starts and lengths."""

    def __len__(self) -> int:
        return len(self.starts)

    def byte(self, places: Ints) -> Bytes:
        """The byte at each place."""
        return self.bytes.take(places, mode="clip")

    def word(self, places: Ints) -> Words:
        """The eight bytes from each place, the first one lowest."""
        whole = places >> 3
        shift = ((places & 7) << 3).view(np.uint64)
        low = self.words.take(whole, mode="clip") >> shift
        # Shifted in two steps: by 64 is not defined.
        return low | ((self.words.take(whole + 1, mode="clip") << _ONE) << (_63 - shift))


def buffer_of(array: npt.NDArray[Any]) -> pa.Buffer:
    """The array's memory for Arrow, not copied."""
    return pa.py_buffer(cast(bytes, array))


class Cursor:
    """A place in each of some records; every read moves all of them on.

    `rows` are the records' numbers in the window, None for all. A place only ever grows, so a cursor that ends where
    its record ends has read nothing else. What is no Avro marks its record in `wrong` and is read as something.
    """

    __slots__ = ("at", "rows", "window", "wrong")

    def __init__(self, window: Window, at: Ints, rows: Ints | None, wrong: Bools) -> None:
        self.window = window
        self.at = at
        self.rows = rows
        self.wrong = wrong

    def __len__(self) -> int:
        return len(self.at)

    def some(self, which: Ints) -> Cursor:
        """A cursor of some of these records; `join` brings it back."""
        rows = which if self.rows is None else self.rows[which]
        return Cursor(self.window, self.at[which], rows, np.zeros(len(which), np.bool_))

    def join(self, which: Ints, some: Cursor) -> None:
        """Go on where the cursor of some of the records has stopped."""
        self.at[which] = some.at
        self.wrong[which] |= some.wrong

    @property
    def ends(self) -> Ints:
        """Where the records end."""
        return self.window.ends if self.rows is None else self.window.ends[self.rows]

    def byte(self) -> Bytes:
        """The next byte."""
        found = self.window.byte(self.at)
        self.at = self.at + 1
        return found

    def fixed(self, size: int) -> Ints:
        """Where the next `size` bytes begin."""
        start = self.at
        self.at = start + size
        return start

    def span(self) -> tuple[Ints, Ints]:
        """Where Avro's next bytes or string begins, and its length."""
        length = self.long()
        start = self.at
        # A negative length is a huge one without its sign: both end beyond every record.
        self.at = start + np.minimum(length.view(np.uint64), np.uint64(self.window.size + 1)).view(np.int64)
        return start, length

    def long(self) -> Ints:
        """Avro's next int or long."""
        first = self.window.byte(self.at)
        if first.max(initial=0) < 128:
            self.at = self.at + 1
            return _SHORT.take(first)
        more = first > 127
        second = self.window.byte(self.at + 1)
        if not (more & (second > 127)).any():
            self.at = self.at + more + 1
            pair = (first & 127) | ((second * more).astype(np.int16) << 7)
            return ((pair >> 1) ^ -(pair & 1)).astype(np.int64)
        word = self.window.word(self.at)
        stop = ~word & _CONTINUES
        last = stop & (~stop + _ONE)
        packed = word & (last - _ONE) & _PAYLOAD
        packed = (packed & _P1) | ((packed & _Q1) >> _ONE)
        packed = (packed & _P2) | ((packed & _Q2) >> _TWO)
        packed = (packed & _P4) | ((packed & _Q4) >> _FOUR)
        # The exponent of a power of two is the number of its bit.
        size = ((last.astype(np.float64).view(np.int64) >> 52) - 1022) >> 3
        if not last.all():
            self._long_tail(packed, size, np.flatnonzero(last == 0))
        self.at = self.at + size
        return (packed >> _ONE).view(np.int64) ^ -((packed & _ONE).view(np.int64))

    def skip_long(self) -> None:
        """As `long`, where nobody asks for the number."""
        first = self.window.byte(self.at)
        if first.max(initial=0) < 128:
            self.at = self.at + 1
            return
        stop = ~self.window.word(self.at) & _CONTINUES
        last = stop & (~stop + _ONE)
        size = ((last.astype(np.float64).view(np.int64) >> 52) - 1022) >> 3
        if not last.all():
            self._long_tail(np.zeros(len(size), np.uint64), size, np.flatnonzero(last == 0))
        self.at = self.at + size

    def _long_tail(self, packed: Words, size: Ints, which: Ints) -> None:
        """The ninth and tenth byte; more than 64 bits are wrong."""
        ninth = self.window.byte(self.at[which] + 8)
        tenth = self.window.byte(self.at[which] + 9)
        more = ninth > 127
        packed[which] |= (ninth & 127).astype(np.uint64) << _56
        packed[which] |= np.where(more, tenth, 0).astype(np.uint64) << _63
        size[which] = 9 + more
        self.wrong[which] |= more & (tenth > 1)


_ONE, _TWO, _FOUR, _56, _63 = (np.uint64(n) for n in (1, 2, 4, 56, 63))
_CONTINUES: Final = np.uint64(0x8080808080808080)
_PAYLOAD: Final = np.uint64(0x7F7F7F7F7F7F7F7F)
_P1, _Q1 = np.uint64(0x007F007F007F007F), np.uint64(0x7F007F007F007F00)
_P2, _Q2 = np.uint64(0x00003FFF00003FFF), np.uint64(0x3FFF00003FFF0000)
_P4, _Q4 = np.uint64(0x000000000FFFFFFF), np.uint64(0x0FFFFFFF00000000)
_SHORT: Final[Ints] = np.array([(n >> 1) ^ -(n & 1) for n in range(128)], np.int64)
"""Numbers of one byte."""
