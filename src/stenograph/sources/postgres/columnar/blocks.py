"""What stands in an envelope from `source` on, for many changes of one table in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stenograph.packing import Ints
from stenograph.sources.postgres.columnar.numbers import Matrix, Words, varint_sizes, varints, zigzag
from stenograph.sources.postgres.columnar.page import Page, Pieces

_TENS = np.array([10**power for power in range(1, 19)], np.int64)


@dataclass(frozen=True, slots=True)
class Places:
    """Of each change its LSN, and its numbers in the transaction and among the table's events in it."""

    lsn: Ints
    total: Ints
    events: Ints


@dataclass(frozen=True, slots=True)
class Blocks:
    """The parts of a block that are the same for all.

    `begin(width)` stands before the LSN's text of so many digits, `middle` before the LSN, `block` before the two
    numbers, `now` after the operation.
    """

    begin: Callable[[int], bytes]
    middle: bytes
    block: bytes
    now: bytes

    def pieces(self, page: Page, places: Places, codes: npt.NDArray[np.uint8]) -> Pieces:
        """The blocks of changes; `codes` are their operations' letters."""
        digits = np.searchsorted(_TENS, places.lsn, side="right") + 1
        longs = [zigzag(numbers) for numbers in (places.lsn, places.total, places.events)]
        sizes = np.stack([digits, *map(varint_sizes, longs)])
        if (sizes[:, :1] == sizes).all():
            return page.rows(self._matrix(sizes[:, 0], places.lsn, longs, codes))
        pieces = np.empty(len(places.lsn), np.int32)
        # One transaction crosses few such borders.
        for widths in np.unique(sizes, axis=1).T:
            rows = np.flatnonzero((sizes == widths[:, None]).all(axis=0))
            of_rows = [numbers[rows] for numbers in longs]
            pieces[rows] = page.rows(self._matrix(widths, places.lsn[rows], of_rows, codes[rows]))
        return pieces

    def _matrix(self, widths: Ints, lsn: Ints, longs: list[Words], codes: npt.NDArray[np.uint8]) -> Matrix:
        digits, *sizes = widths.tolist()
        of_lsn, of_total, of_events = (
            varints(numbers, np.full(len(numbers), size))[:, :size]
            for numbers, size in zip(longs, sizes, strict=True)
        )
        _, _, text = pa.array(lsn).cast(pa.string()).buffers()
        assert text is not None
        digits_of_lsn = np.frombuffer(memoryview(text), np.uint8, len(lsn) * digits).reshape(-1, digits)
        parts: list[bytes | Matrix] = [
            self.begin(digits),
            digits_of_lsn,
            self.middle,
            of_lsn,
            self.block,
            of_total,
            of_events,
            # The operation is a string of one letter.
            b"\2",
            codes.reshape(-1, 1),
            self.now,
        ]
        made = np.empty((len(lsn), sum(map(_width, parts))), np.uint8)
        place = 0
        for part in parts:
            width = _width(part)
            made[:, place : place + width] = (
                np.frombuffer(part, np.uint8) if isinstance(part, bytes) else part
            )
            place += width
        return made


def _width(part: bytes | Matrix) -> int:
    return len(part) if isinstance(part, bytes) else part.shape[1]
