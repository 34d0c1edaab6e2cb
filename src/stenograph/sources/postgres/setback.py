"""How many rows are encoded one by one after whole columns did not pay: twice as many with each time in a row.

Encodes nothing: a run that the reference breaks off has encoded every row behind that place in vain.
"""

from __future__ import annotations

from typing import Final

FEWEST: Final = 256
MOST: Final = 1 << 16


class Setback:
    """`rows` are still to be encoded one by one; none where it is not above 0."""

    __slots__ = ("_next", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self._next = 0

    def note_run(self, taken: int, count: int) -> None:
        """Whole columns of `count` rows were encoded, and so many of them taken."""
        self._next = 0 if taken == count else min(max(2 * self._next, FEWEST), MOST)
        self.rows = self._next

    def note_alone(self, taken: int) -> None:
        """So many rows were encoded one by one."""
        self.rows -= taken
