"""The pieces of one table that are the same in every run: numbers with what stands before them, nulls, prefixes."""

from __future__ import annotations

from functools import cache, cached_property
from typing import Final

import numpy as np

from stenograph.envelope.emitters import long_bytes
from stenograph.packing import Ints

TABLED: Final = 1 << 12
"""Numbers below this are looked up."""
EMPTY: Final = 0
"""The piece without bytes."""
_MARGIN: Final = 32
"""The first field has that much before it, so that words can be read which end in it."""


class Constants:
    """Constant pieces, each made once. They stand in front of every page of the table and keep their numbers.

    Trap: none may be added once there is a page.
    """

    def __init__(self) -> None:
        self._contents: list[bytes] = [b"", bytes(_MARGIN)]
        self._known: dict[bytes, int] = {b"": EMPTY}
        self._longs: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._contents)

    def add(self, content: bytes) -> int:
        """The number of the piece of that content."""
        known = self._known.get(content)
        if known is None:
            known = self._known[content] = len(self)
            self._contents.append(content)
        return known

    def add_longs(self, typed: bytes) -> None:
        """Add pieces of `typed` and a number below `TABLED` as an Avro long."""
        if typed not in self._longs:
            self._longs[typed] = len(self)
            self._contents += _longs(typed)

    def longs(self, typed: bytes) -> int:
        """The number of the piece of `typed` and 0; the others follow."""
        return self._longs[typed]

    @cached_property
    def bytes(self) -> bytes:
        """The pieces in one."""
        return b"".join(self._contents)

    @cached_property
    def bounds(self) -> Ints:
        """Where the pieces begin, and where the last one stops."""
        return np.cumsum([0, *map(len, self._contents)])


@cache
def _longs(typed: bytes) -> list[bytes]:
    return [typed + long_bytes(number) for number in range(TABLED)]
