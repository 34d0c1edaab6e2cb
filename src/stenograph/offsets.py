"""Places: in the log, in a source's own order, and in the ledger.

Holds values only; who moves them, and when, is the business of the log and the warehouse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct

_ORDER = Struct(">IQQI")
ORDER_BYTES = _ORDER.size
"""Every order has this width, so that bytes and hex text sort alike."""


def order_of(run: int, commit: int, change: int, ordinal: int) -> bytes:
    """The order of a change: sortable as bytes, unique in its lane, the same when it is sent again.

    `run` counts the captures begun anew, so that it never falls for one source; `commit` and `change` are
    LSNs (or what the source has in their place); `ordinal` counts changes that share both, because one
    COPY writes many rows under one LSN.
    """
    return _ORDER.pack(run, commit, change, ordinal)


pack_order = _ORDER.pack
"""`order_of`, positional only, for loops that cannot afford a call of Python's."""


def parts_of(order: bytes) -> tuple[int, int, int, int]:
    """The inverse of `order_of`: (run, commit, change, ordinal)."""
    run, commit, change, ordinal = _ORDER.unpack(order)
    return run, commit, change, ordinal


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One partition of one topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the log says of a partition it gives to a reader.

    `generation` changes when the topic is another one under the same name; `partition_count` is the
    topic's, because a changed count moves keys and must be refused.
    """

    generation: str
    partition_count: int


@dataclass(frozen=True, slots=True)
class Position:
    """Where a source resumes.

    `order` sorts: a position never moves to a lower one (Invariant 8). `resume` is opaque to all but the
    source that made it.
    """

    order: bytes
    resume: bytes


@dataclass(frozen=True, slots=True)
class LaneMark:
    """The highest order stored in a lane, and the latest commit time in it (microseconds since 1970 UTC)."""

    order: bytes
    committed_at: int


@dataclass(frozen=True, slots=True)
class Mark:
    """What a claim returns: where to read on, the fence taken, and each lane's high-water mark."""

    next_offset: int
    fence: int
    lanes: Mapping[str, LaneMark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one partition that one append accounts for, from `start` up to but not including `stop`.

    Invariant 9: `read` = `stored` + `duplicate` + `filtered` + `quarantined`. Offsets inside a span may have
    gaps, so `read` can be less than `stop - start`. `digest` is a hash over offsets, orders and keys of
    the rows stored; it says nothing of their other values.
    """

    partition: Partition
    generation: str
    start: int
    stop: int
    read: int
    stored: int
    duplicate: int
    filtered: int
    quarantined: int
    digest: str
