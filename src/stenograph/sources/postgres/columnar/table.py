"""One captured table's rows as pieces: what stands in a record's row and in its key, and which rows are unusual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stenograph.packing import Bools
from stenograph.sources.postgres.columnar.constants import EMPTY, Constants
from stenograph.sources.postgres.columnar.emission import Emitted, emitter
from stenograph.sources.postgres.columnar.page import Page, Piece
from stenograph.sources.postgres.columnar.texts import Texts
from stenograph.sources.postgres.compiled import CompiledTable


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as the pieces of each column, from left to right.

    `unusual` rows are left to the compiled functions: what is said of them here has no meaning. `absent` are the rows
    that do not say what a column holds, by the column's place.
    """

    columns: list[Sequence[Piece]]
    unusual: Bools
    absent: dict[int, Bools] = field(default_factory=dict)

    @property
    def pieces(self) -> list[Piece]:
        """Of all columns."""
        return [piece for pieces in self.columns for piece in pieces]

    def of(self, places: Sequence[int]) -> list[Piece]:
        """Of the columns at these places, in their order."""
        return [piece for place in places for piece in self.columns[place]]


class ColumnarTable:
    """The pieces of one compiled table's rows.

    `after_only`, `before`, `no_after` and `after` are the pieces in front of the rows in a value, `key_prefix` that in
    front of a key's columns.
    """

    def __init__(self, compiled: CompiledTable) -> None:
        self.compiled = compiled
        self.width = len(compiled.columns)
        self._constants = constants = Constants()
        self.after_only = constants.add(compiled.after_only)
        self.before = constants.add(compiled.before)
        self.no_after, self.after = constants.add(b"\0"), constants.add(b"\2")
        self.key_prefix = constants.add(compiled.key_prefix)
        self._emitters = [emitter(column, constants) for column in compiled.columns]
        of_columns = [column.constant for column in compiled.columns]
        self._nulls = [None if of.null is None else constants.add(of.null) for of in of_columns]
        self._absent = [constants.add(of.absent) for of in of_columns]
        self._unchanged = [constants.add(of.unchanged) for of in of_columns]

    def page(self, text: Sequence[bytes]) -> Page:
        """A page with this text."""
        return Page(self._constants, text)

    def whole(self, page: Page, columns: Sequence[Texts], unusual: Bools) -> Rows:
        """Rows of which every column is known. `unusual` are those known as such already, here as everywhere."""
        rows = Rows([], unusual.copy())
        for place, texts in enumerate(columns):
            if texts.absent is not None:
                rows.unusual[texts.absent] = True
            rows.columns.append(self._column(place, texts, page, rows).pieces)
        return rows

    def new(self, page: Page, columns: Sequence[Texts], unusual: Bools) -> Rows:
        """New rows, in which a column that is not of the key may not have been sent because it did not change."""
        rows = Rows([], unusual.copy())
        for place, texts in enumerate(columns):
            emitted = self._column(place, texts, page, rows)
            if texts.absent is not None and texts.absent.any():
                if place in self.compiled.key:
                    rows.unusual[texts.absent] = True
                rows.absent[place] = texts.absent
                emitted = _instead(emitted, texts.absent, [self._unchanged[place]])
            rows.columns.append(emitted.pieces)
        return rows

    def after_old(
        self, page: Page, columns: Sequence[Texts], unusual: Bools, old: Rows, of_old: Sequence[Texts]
    ) -> Rows:
        """New rows whose old ones hold what was not sent."""
        rows = Rows([], unusual | old.unusual)
        for place, texts in enumerate(columns):
            emitted = self._column(place, texts, page, rows)
            if texts.absent is not None and texts.absent.any():
                nulls = of_old[place].nulls
                if place in self.compiled.key:
                    rows.unusual[texts.absent] = True
                elif nulls is not None:
                    rows.unusual[texts.absent & nulls] = True
                emitted = _instead(emitted, texts.absent, old.columns[place])
            rows.columns.append(emitted.pieces)
        return rows

    def keys(self, page: Page, columns: Sequence[Texts], unusual: Bools) -> Rows:
        """Old rows of which only the key's columns are known."""
        rows = Rows([], unusual.copy())
        for place, texts in enumerate(columns):
            if place not in self.compiled.key:
                rows.columns.append([self._absent[place]])
                continue
            for missing in (texts.nulls, texts.absent):
                if missing is not None:
                    rows.unusual[missing] = True
            rows.columns.append(self._column(place, texts, page, rows).pieces)
        return rows

    def _column(self, place: int, texts: Texts, page: Page, rows: Rows) -> Emitted:
        emitted = self._emitters[place](texts, page)
        odd = emitted.odd
        if texts.absent is not None and odd is not None:
            odd = odd & ~texts.absent
        if texts.nulls is not None and texts.nulls.any():
            null = self._nulls[place]
            if null is None:
                rows.unusual[texts.nulls] = True
            else:
                emitted = _instead(emitted, texts.nulls, [null])
                odd = None if odd is None else odd & ~texts.nulls
        if odd is not None:
            rows.unusual[odd] = True
        return emitted


def _instead(of: Emitted, where: Bools, pieces: Sequence[Piece]) -> Emitted:
    """Other pieces in some rows."""
    width = max(len(of.pieces), len(pieces))
    old, new = (tuple(each) + (EMPTY,) * (width - len(each)) for each in (of.pieces, pieces))
    return Emitted(tuple(np.where(where, b, a).astype(np.int32) for a, b in zip(old, new, strict=True)))
