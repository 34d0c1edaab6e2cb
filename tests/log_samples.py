"""Batches for tests of the change log: small, distinct in every record, the same when they are made again.

Encodes no change event: to the log, keys and values are bytes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from stenograph.offsets import Position, order_of
from stenograph.ports import ChangeLogReader, EncodedBatch, LoggedBatch

Record = tuple[bytes | None, bytes | None, bytes | None]
"""Key, value and order: what tells one record from all others."""


def position(commit: int, resume: bytes = b"resume") -> Position:
    """A position that sorts by `commit`."""
    return Position(order_of(1, commit, 0, 0), resume)


def batch(
    topic: str | Sequence[str],
    first: int,
    count: int,
    *,
    source: str = "crm",
    lane: str = "crm/stream/1-1",
    keys: Sequence[bytes | None] | None = None,
    timestamp: int | None = None,
    upto: Position | None = None,
) -> EncodedBatch:
    """Records numbered from `first`; topics in turn where there are several; `timestamp` is now where None."""
    numbers = range(first, first + count)
    topics = [topic] if isinstance(topic, str) else list(topic)
    stamp = int(time.time() * 1000) if timestamp is None else timestamp
    return EncodedBatch(
        source=source,
        lane=lane,
        topics=[topics[number % len(topics)] for number in numbers],
        keys=[f"key {number}".encode() for number in numbers] if keys is None else keys,
        values=[None if number % 7 == 6 else f"value {number}".encode() for number in numbers],
        timestamps=[stamp] * count,
        orders=[order_of(1, number, number, 0) for number in numbers],
        headers=[
            (("steno.before", b"key"), ("n", str(number).encode())) if number % 2 else ()
            for number in numbers
        ],
        upto=upto,
    )


def records_of(batches: Sequence[LoggedBatch]) -> list[Record]:
    """The records of these batches, one after the other."""
    return [record for one in batches for record in zip(one.keys, one.values, one.orders, strict=True)]


def sent(batch: EncodedBatch) -> list[Record]:
    """The records of a batch that was appended."""
    return list(zip(batch.keys, batch.values, batch.orders, strict=True))


def poll_until(
    reader: ChangeLogReader, count: int, *, limit: int = 1000, within: timedelta = timedelta(seconds=20)
) -> list[LoggedBatch]:
    """Poll until `count` records have come; AssertionError if they do not come in time."""
    deadline = time.monotonic() + within.total_seconds()
    got: list[LoggedBatch] = []
    while sum(map(len, got)) < count:
        assert time.monotonic() < deadline, f"{sum(map(len, got))} of {count} records came in time"
        got += reader.poll(limit, timedelta(milliseconds=200))
    return got


def seek_all(reader: ChangeLogReader, offsets: Mapping[object, int] | None = None) -> None:
    """Read every assigned partition from the offset given, or from 0."""
    for partition in reader.assigned():
        reader.seek(partition, (offsets or {}).get(partition, 0))
