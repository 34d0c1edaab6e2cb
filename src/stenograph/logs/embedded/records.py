"""Reads a stretch of one partition as a batch.

Moves nothing and waits for nothing.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np

from stenograph.errors import LogRefused
from stenograph.logs.embedded.joining import Joined
from stenograph.logs.embedded.segment import Segment, open_segment
from stenograph.logs.embedded.topics import Stretch
from stenograph.offsets import Partition
from stenograph.ports import LoggedBatch

LARGE_BYTES = 256 << 10
"""A larger segment is read and written through a handle on its blob: SQLite would hold copies of it."""
_FROM_OFFSET = (
    "FROM segments WHERE topic_id = ?1 AND partition = ?2 AND next > ?3 AND first >= coalesce("
    "(SELECT max(first) FROM segments WHERE topic_id = ?1 AND partition = ?2 AND first <= ?3), ?3) ORDER BY first"
)
_SEGMENTS = f"SELECT id, first, next, iif(length(payload) > {LARGE_BYTES}, NULL, payload) {_FROM_OFFSET}"
_OLDEST = f"SELECT oldest {_FROM_OFFSET} LIMIT 1"


@dataclass(frozen=True, slots=True)
class RecordTable:
    """The records of one log file."""

    generation: str

    def read(
        self,
        connection: sqlite3.Connection,
        partition: Partition,
        stretch: Stretch,
        start: int,
        limit: int,
        byte_limit: int | None = None,
    ) -> tuple[LoggedBatch, int]:
        """At most `limit` records from `start` on, and about how many bytes they take.

        Ends with the record that reaches `byte_limit`, which is held whole: one record is always given if there is one.
        Raise LogRefused for a segment that is damaged or is not there.
        """
        joined = Joined()
        at, size = start, 0
        cursor = connection.execute(_SEGMENTS, (stretch.topic_id, stretch.number, start))
        try:
            for key, first, stop, payload in cursor:
                if first > at:
                    raise ValueError("A segment is missing.")
                segment = _opened(connection, key, payload, stop - first)
                taken = at - first
                until = min(segment.count, taken + limit - joined.count)
                if byte_limit is not None:
                    until, bytes_taken = _within(segment, taken, until, byte_limit - size)
                    size += bytes_taken
                joined.take(segment, taken, until)
                at = first + until
                if joined.count >= limit or (byte_limit is not None and size >= byte_limit):
                    break
            if at < min(stretch.next, start + 1):
                raise ValueError("A segment is missing.")
            return self._batch(joined, partition, start, at), size
        except ValueError as fault:
            raise LogRefused(
                "The log's file is damaged: records in it cannot be read.",
                hint="Keep a copy, restore the file from a backup or begin a new log; history holds what was stored.",
                partition=partition,
                offset=at,
                reason=fault,
            ) from fault
        finally:
            cursor.close()

    def _batch(self, joined: Joined, partition: Partition, start: int, stop: int) -> LoggedBatch:
        return LoggedBatch(
            partition=partition,
            generation=self.generation,
            start=start,
            stop=stop,
            offsets=range(start, stop),
            timestamps=joined.timestamps(),
            keys=joined.keys(),
            values=joined.values(),
            lanes=joined.lanes(),
            orders=joined.orders(),
            headers=joined.headers(),
        )


def oldest_from(connection: sqlite3.Connection, stretch: Stretch, offset: int) -> int | None:
    """The least timestamp of the segment that holds the record at `offset`, or the next one; None at the end."""
    found = connection.execute(_OLDEST, (stretch.topic_id, stretch.number, offset)).fetchone()
    return None if found is None else int(found[0])


def _opened(connection: sqlite3.Connection, key: int, payload: bytes | None, count: int) -> Segment:
    if payload is None:
        with connection.blobopen("segments", "payload", key, readonly=True) as blob:
            payload = blob.read()
    segment = open_segment(payload)
    if segment.count != count:
        raise ValueError("A segment has another count of records than its place says.")
    return segment


def _within(segment: Segment, first: int, stop: int, byte_limit: int) -> tuple[int, int]:
    """Where to end so that the last record reaches the limit, at `stop` at the latest, and the bytes until there."""
    values, keys = segment.values, segment.keys
    if len(values.data) + len(keys.data) < byte_limit and first == 0 and stop == segment.count:
        return stop, len(values.data) + len(keys.data)
    lengths = values.lengths_of(segment.count)[first:stop].astype(np.int64)
    reached = np.cumsum(lengths + keys.lengths_of(segment.count)[first:stop])
    count = min(int(np.searchsorted(reached, byte_limit)) + 1, stop - first)
    return first + count, int(reached[count - 1]) if count else 0
