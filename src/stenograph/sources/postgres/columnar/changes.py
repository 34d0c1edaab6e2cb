"""Changes of one table and one shape in a run: the pieces of their values and keys, and which of them are unusual."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

import numpy as np
import pyarrow.compute as pc

from stenograph.envelope.headers import BEFORE
from stenograph.packing import Bools, Ints
from stenograph.ports import Headers
from stenograph.sources.postgres.columnar.blocks import Blocks, Places
from stenograph.sources.postgres.columnar.constants import EMPTY
from stenograph.sources.postgres.columnar.page import Page, Piece
from stenograph.sources.postgres.columnar.records import Records, composed
from stenograph.sources.postgres.columnar.table import ColumnarTable, Rows
from stenograph.sources.postgres.columnar.texts import Texts, texts_of, walked
from stenograph.sources.postgres.compiled import Encoded

_NEW = b"N"[0]
_LSN, _KIND, _TUPLE = 1, 25, 31
"""Where the LSN, the kind of change and the first tuple stand in a frame: before the tuple stands what it is.
https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html."""
_CODES = np.zeros(256, np.uint8)
_CODES[[*b"IUD"]] = [*b"cud"]
_KEY_ONLY: Headers = ((BEFORE, b"key"),)
_WHOLE: Headers = ((BEFORE, b"full"),)


class Shape(Enum):
    """Which tuples a change has."""

    NEW = "new"
    """The new one."""
    KEY = "key"
    """An old one with the key's columns only."""
    OLD = "old"
    """A whole old one."""
    BOTH = "both"
    """A whole old one, and the new one."""
    OTHER = "other"
    """Those that are left to the compiled function."""


def shape_of(table: ColumnarTable, kind: int, tuple_kind: int) -> Shape:
    """The shape by the letter of the change and that of its first tuple."""
    is_full = table.compiled.table.sends_full_rows
    match bytes((kind, tuple_kind)):
        case b"IN" | b"UN":
            return Shape.NEW
        case b"DK" if not is_full:
            return Shape.KEY
        case b"DO" if is_full:
            return Shape.OLD
        case b"UO" if is_full:
            return Shape.BOTH
        case _:
            return Shape.OTHER


@dataclass(frozen=True, slots=True)
class _Read:
    value: list[Piece]
    rows: Rows
    headers: Headers = ()


class TableChanges:
    """The changes. `rows` are their places in the run, rising; `lsn` and `unusual` are by change."""

    def __init__(self, table: ColumnarTable, shape: Shape, frames: Sequence[bytes], rows: Ints) -> None:
        self.rows = rows
        self._table = table
        self._page = page = table.page(frames)
        lengths = np.fromiter(map(len, frames), np.int64, len(frames))
        self._ends = page.first + np.cumsum(lengths)
        starts = self._ends - lengths
        self.lsn: Ints = page.words[starts + _LSN].byteswap().view(np.int64)
        self._codes = _CODES[page.text[starts + _KIND]]
        self._tuples = starts + _TUPLE
        self._read = self._read_as(shape)

    @property
    def unusual(self) -> Bools:
        """Which changes are left to the compiled function."""
        return self._read.rows.unusual

    def headers(self) -> dict[int, Headers]:
        """The headers of usual changes that have any, by place in the run."""
        if self._read.headers:
            return dict.fromkeys(self.rows[~self.unusual].tolist(), self._read.headers)
        by_row: dict[int, tuple[int, ...]] = {}
        for place, mask in self._read.rows.absent.items():
            for row in np.flatnonzero(mask & ~self.unusual).tolist():
                by_row[row] = (*by_row.get(row, ()), place)
        known = self._table.compiled.unchanged_headers
        return {int(self.rows[row]): known[places] for row, places in by_row.items()}

    def encoded(self, blocks: Blocks, places: Places, others: Mapping[int, Encoded], cut: int) -> Records:
        """The changes before the place `cut` in the run.

        `places` are those of these changes; `others` holds the unusual ones before the cut, by place in the run.
        """
        count = int(np.searchsorted(self.rows, cut))
        odd = np.flatnonzero(self.unusual[:count])
        by_place = {
            place: others[row] for place, row in zip(odd.tolist(), self.rows[odd].tolist(), strict=True)
        }
        if len(by_place) == count:
            return composed(self._page, self._table, [EMPTY], [], by_place, count)
        value = [*self._read.value, blocks.pieces(self._page, places, self._codes)]
        key = self._read.rows.of(self._table.compiled.key)
        return composed(self._page, self._table, value, key, by_place, count)

    def _read_as(self, shape: Shape) -> _Read:
        match shape:
            case Shape.NEW:
                return self._new()
            case Shape.KEY:
                return self._gone(self._table.keys, _KEY_ONLY)
            case Shape.OLD:
                return self._gone(self._table.whole, _WHOLE)
            case Shape.BOTH:
                return self._both()
            case Shape.OTHER:
                return _Read([], Rows([], np.ones(len(self.rows), np.bool_)))
            case _:
                assert_never(shape)

    def _new(self) -> _Read:
        walk = walked(self._page, self._tuples, self._ends, self._table.width)
        (texts,) = texts_of(self._page, walk)
        make = self._table.whole if self._table.compiled.table.sends_full_rows else self._table.new
        rows = make(self._page, texts, walk.unusual | (walk.ends != self._ends))
        return _Read([self._table.after_only, *rows.pieces], rows)

    def _gone(self, make: Callable[[Page, Sequence[Texts], Bools], Rows], headers: Headers) -> _Read:
        walk = walked(self._page, self._tuples, self._ends, self._table.width)
        (texts,) = texts_of(self._page, walk)
        rows = make(self._page, texts, walk.unusual | (walk.ends != self._ends))
        return _Read([self._table.before, *rows.pieces, self._table.no_after], rows, headers)

    def _both(self) -> _Read:
        page, table = self._page, self._table
        before = walked(page, self._tuples, self._ends, table.width)
        after = walked(page, np.minimum(before.ends + 1, self._ends), self._ends, table.width)
        of_old, of_new = texts_of(page, before, after)
        is_odd = (
            before.unusual | after.unusual | (page.text[before.ends] != _NEW) | (after.ends != self._ends)
        )
        old = table.whole(page, of_old, is_odd)
        new = table.after_old(page, of_new, is_odd, old, of_old)
        for place in table.compiled.key:
            # Another key is two events. Texts that differ may still write the same value: others look closer.
            keys = (page.taken(of[place].starts, of[place].stops) for of in (of_old, of_new))
            new.unusual[~np.asarray(pc.equal(*keys))] = True
        return _Read([table.before, *old.pieces, table.after, *new.pieces], new, _WHOLE)
