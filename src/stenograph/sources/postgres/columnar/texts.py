"""Where the values of a run stand in its text, column by column.

Finds tuples in frames of the replication stream and fields in lines of COPY; reads no value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stenograph.packing import Bools, Ints
from stenograph.sources.postgres.columnar.page import Page, Pieces
from stenograph.sources.postgres.compiled import unescaped

_TEXT, _NULL, _UNCHANGED = b"tnu"
_TAB, _NEWLINE, _BACKSLASH, _N = b"\t\n\\N"


@dataclass(slots=True)
class Texts:
    """One column of a run: where each row's text starts and stops, how long it is, and its piece.

    `nulls` and `absent` (what the source did not send) say where there is no text; None for nowhere. `stops` may be
    moved to the left, which shortens the piece. `lengths` and `pieces` of a text that was escaped are those of what
    it means.
    """

    starts: Ints
    stops: Ints
    lengths: Ints
    pieces: Pieces
    nulls: Bools | None = None
    absent: Bools | None = None
    escaped: Bools | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def values(self, page: Page) -> list[bytes | None]:
        """The texts themselves, None where there is none."""
        found = page.taken(self.starts, self.stops).to_pylist()
        if self.escaped is not None:
            for row in np.flatnonzero(self.escaped).tolist():
                found[row] = unescaped(found[row] or b"")
        for missing in (self.nulls, self.absent):
            if missing is not None:
                for row in np.flatnonzero(missing).tolist():
                    found[row] = None
        return found


@dataclass(frozen=True, slots=True)
class Walk:
    """Tuples that were walked through: the places of their values, columns by rows, and where each tuple ended.

    `unusual` tuples have kinds of values that are not known here, or another number of them. What the places of these
    say has no meaning, but they stay within the frame.
    """

    starts: Ints
    stops: Ints
    missing: Sequence[tuple[Bools | None, Bools | None]]
    ends: Ints
    unusual: Bools


def walked(page: Page, begins: Ints, limits: Ints, columns: int) -> Walk:
    """Walk through the tuples that begin at `begins` with their number of columns; none goes beyond its limit."""
    rows = len(begins)
    starts, stops = np.empty((columns, rows), np.int64), np.empty((columns, rows), np.int64)
    words = page.words
    missing: list[tuple[Bools | None, Bools | None]] = []
    unusual = (words[begins] & np.uint64(0xFFFF)) != np.uint64(columns >> 8 | (columns & 0xFF) << 8)
    place = np.minimum(begins + 2, limits)
    for column in range(columns):
        # The kind is the lowest byte, the length the four after it, the highest first.
        word = words[place]
        kinds = word.astype(np.uint8)
        lengths = (word << np.uint64(24)).byteswap().view(np.int64) & 0xFFFFFFFF
        nulls = absent = None
        start = place + 5
        if not (kinds == _TEXT).all():
            nulls, absent = kinds == _NULL, kinds == _UNCHANGED
            bare = nulls | absent
            unusual |= ~(bare | (kinds == _TEXT))
            lengths[bare] = 0
            start = np.where(bare, place + 1, start)
        start = np.minimum(start, limits)
        place = np.minimum(start + lengths, limits)
        starts[column], stops[column] = start, place
        missing.append((nulls, absent))
    return Walk(starts, stops, missing, place, unusual)


def texts_of(page: Page, *walks: Walk) -> list[list[Texts]]:
    """The columns of tuples that stand one after the other in each row of a page."""
    starts, stops = np.concatenate([of.starts for of in walks]), np.concatenate([of.stops for of in walks])
    texts = _texts(page, starts, stops, [each for of in walks for each in of.missing])
    columns = len(texts) // len(walks)
    return [texts[first : first + columns] for first in range(0, len(texts), columns)]


def fields(page: Page, rows: int, columns: int) -> Sequence[Texts] | None:
    """The columns of lines of COPY's text format that are the whole text of the page; None if they have other fields.

    https://www.postgresql.org/docs/current/sql-copy.html
    """
    text = page.text[page.first :]
    seams = np.flatnonzero((text == _TAB) | (text == _NEWLINE))
    if len(seams) != rows * columns:
        return None
    stops = (seams + page.first).reshape(rows, columns)
    if not (page.text[stops[:, -1]] == _NEWLINE).all():
        return None
    starts = np.empty_like(stops)
    flat = starts.reshape(-1)
    flat[0], flat[1:] = page.first, stops.reshape(-1)[:-1] + 1
    begins, ends = np.ascontiguousarray(starts.T), np.ascontiguousarray(stops.T)
    found: list[tuple[Bools | None, Bools | None]] = [(None, None)] * columns
    slashes = np.flatnonzero(text == _BACKSLASH) + page.first
    if not len(slashes):
        return _texts(page, begins, ends, found)
    nulls = (page.text[begins] == _BACKSLASH) & (page.text[begins + 1] == _N) & (ends - begins == 2)
    texts = _texts(page, begins, ends, [(of if of.any() else None, None) for of in nulls])
    holders = np.searchsorted(stops.reshape(-1), slashes)
    escaped = np.zeros(rows * columns, np.bool_)
    escaped[holders] = True
    by_column = escaped.reshape(rows, columns).T & ~nulls
    for column, escapes in zip(texts, by_column, strict=True):
        if escapes.any():
            _unescape(page, column, escapes)
    return texts


def _unescape(page: Page, column: Texts, escapes: Bools) -> None:
    at = np.flatnonzero(escapes)
    meant = [unescaped(text or b"") for text in page.taken(column.starts[at], column.stops[at]).to_pylist()]
    column.escaped = escapes
    column.lengths[at] = np.fromiter(map(len, meant), np.int64, len(meant))
    column.pieces[at] = page.values(meant)


def _texts(
    page: Page, starts: Ints, stops: Ints, found: Sequence[tuple[Bools | None, Bools | None]]
) -> list[Texts]:
    pieces = np.ascontiguousarray(page.field_pieces(starts, stops))
    lengths = stops - starts
    return [
        Texts(starts[place], stops[place], lengths[place], pieces[place], *absence)
        for place, absence in enumerate(found)
    ]
