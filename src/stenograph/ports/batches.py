"""What crosses the log's border: encoded batches on the way in, logged batches on the way out.

Parallel sequences, no object per record.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from stenograph.offsets import Partition, Position

Headers = tuple[tuple[str, bytes], ...]
"""A record's headers beside lane and order, in the order in which they were written."""


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Encoded change events of one lane, as parallel sequences: no object per row.

    `timestamps` are milliseconds since 1970 UTC. `upto` is where the source resumes once these records are
    durable: after the last commit in the batch, and what follows that is sent again; None where no commit moves
    it. A batch may hold no record and still move
    the position. A record without a key has None there; a tombstone has None as its value. Keys, values and orders
    may be `Packed`, topics and headers `Coded` (see packing.py): a log takes them as they are.
    """

    source: str
    lane: str
    topics: Sequence[str] = ()
    keys: Sequence[bytes | None] = ()
    values: Sequence[bytes | None] = ()
    timestamps: Sequence[int] = ()
    orders: Sequence[bytes] = ()
    headers: Sequence[Headers] = ()
    upto: Position | None = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class LoggedBatch:
    """Records of one partition in offset order, as parallel sequences.

    `stop` is the offset to read on from: at least the last record's plus one. `lanes` and `orders` are None
    where a record has no such header, as real Debezium's have not.

    The sequences need not be lists: offsets without a hole are a `range`, timestamps may be a view of an array, and
    what is not a number is `Packed` or `Coded` where the log holds it so (see packing.py). Trap: a value taken out of
    `Packed` is made anew each time; who reads every record asks for the arrays.
    """

    partition: Partition
    generation: str
    start: int
    stop: int
    offsets: Sequence[int]
    timestamps: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    lanes: Sequence[str | None]
    orders: Sequence[bytes | None]
    headers: Sequence[Headers]

    def __len__(self) -> int:
        return len(self.offsets)

    def between(self, start: int, stop: int) -> LoggedBatch:
        """The records at offsets from `start` up to but not including `stop`, as a batch of that stretch."""
        first, last = bisect_left(self.offsets, start), bisect_left(self.offsets, stop)
        return LoggedBatch(
            self.partition,
            self.generation,
            start,
            stop,
            self.offsets[first:last],
            self.timestamps[first:last],
            self.keys[first:last],
            self.values[first:last],
            self.lanes[first:last],
            self.orders[first:last],
            self.headers[first:last],
        )
