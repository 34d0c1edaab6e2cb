"""Removes old records that every group of sinks has reported, whole segments at a time.

Never removes a record that some group has not reported, and nothing at all while no group is known (Invariant 2).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from heapq import merge

from stenograph.logs.embedded.topics import Stretch, stretches

REMOVED_BYTES = 32 << 20
"""Removed in one transaction, so that an append never waits long for retention."""
REMOVED_SEGMENTS = 10_000
"""The same for small segments, whose number costs more than their bytes."""

_Segment = tuple[int, int, int, int, int]
"""Its number, topic's number, partition, offset after it, and bytes; the first one sorts by age."""


def remove_reported(connection: sqlite3.Connection, older_than: int | None, limit: int) -> bool:
    """Remove segments, the oldest first, until they held `limit` bytes; return whether there may be more to remove.

    `older_than` is in milliseconds since 1970 UTC, None for whatever age. Removes from the front of a partition only
    and stops at the first segment with a young or an unreported record, so that what a partition holds has no hole.
    Runs inside the caller's transaction.
    """
    removed = count = 0
    ends: dict[tuple[int, int], int] = {}
    for _, topic_id, number, stop, size in _removable(connection, older_than):
        if removed >= limit or count >= REMOVED_SEGMENTS:
            break
        ends[topic_id, number] = stop
        removed += size
        count += 1
    for place, stop in ends.items():
        connection.execute(
            "DELETE FROM segments WHERE topic_id = ? AND partition = ? AND first < ?", (*place, stop)
        )
        connection.execute("UPDATE ends SET first = ? WHERE topic_id = ? AND partition = ?", (stop, *place))
    return removed >= limit or count >= REMOVED_SEGMENTS


def is_any_removable(connection: sqlite3.Connection) -> bool:
    """Whether there is a segment that every group has reported."""
    return next(_removable(connection, None), None) is not None


def _removable(connection: sqlite3.Connection, older_than: int | None) -> Iterator[_Segment]:
    """The segments that may go, in the order in which they were appended."""
    least = _least_reported(connection)
    return merge(
        *(
            _front(connection, stretch, bound, older_than)
            for stretch in stretches(connection).values()
            if (bound := least.get((stretch.topic_id, stretch.number), 0)) > stretch.first
        )
    )


def _front(
    connection: sqlite3.Connection, stretch: Stretch, bound: int, older_than: int | None
) -> Iterator[_Segment]:
    candidates = connection.execute(
        "SELECT id, next, newest, length(payload) FROM segments WHERE topic_id = ? AND partition = ?"
        " ORDER BY first",
        (stretch.topic_id, stretch.number),
    )
    for key, stop, newest, size in candidates:
        if stop > bound or (older_than is not None and newest >= older_than):
            break
        yield key, stretch.topic_id, stretch.number, stop, size
    candidates.close()


def _least_reported(connection: sqlite3.Connection) -> dict[tuple[int, int], int]:
    """Per partition, the least offset that a group of its topic has reported.

    A group that knows the topic and has not reported one of its partitions counts with 0 there.
    """
    groups: dict[int, set[str]] = defaultdict(set)
    reported: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    for group, topic_id, number, offset in connection.execute(
        'SELECT "group", topic_id, partition, offset FROM reports'
    ):
        groups[topic_id].add(group)
        reported[topic_id, number][group] = offset
    return {
        (topic_id, number): min(offsets.get(group, 0) for group in groups[topic_id])
        for (topic_id, number), offsets in reported.items()
    }
