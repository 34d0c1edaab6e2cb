"""Removes old records that every group of sinks has reported.

Never removes a record that some group has not reported, and nothing at all while no group is known (Invariant 2).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict

from stenograph.logs.embedded.topics import Stretch, stretches


def remove_reported(connection: sqlite3.Connection, older_than: int, limit: int) -> int:
    """Remove at most `limit` records and return how many; `older_than` is in milliseconds since 1970 UTC.

    Removes from the front of a partition only and stops at the first record that is young, so that what a
    partition holds has no hole. Runs inside the caller's transaction.
    """
    least = _least_reported(connection)
    removed = 0
    for stretch in stretches(connection).values():
        if removed >= limit:
            break
        bound = least.get((stretch.topic_id, stretch.number), 0)
        first = _first_kept(connection, stretch, bound, older_than, limit - removed)
        if first > stretch.first:
            place = (stretch.topic_id, stretch.number)
            connection.execute(
                "DELETE FROM records WHERE topic_id = ? AND partition = ? AND offset < ?", (*place, first)
            )
            connection.execute(
                "UPDATE ends SET first = ? WHERE topic_id = ? AND partition = ?", (first, *place)
            )
            removed += first - stretch.first
    return removed


def _first_kept(
    connection: sqlite3.Connection, stretch: Stretch, bound: int, older_than: int, limit: int
) -> int:
    first = stretch.first
    if bound <= first:
        return first
    candidates = connection.execute(
        "SELECT offset, timestamp FROM records WHERE topic_id = ? AND partition = ? AND offset < ?"
        " ORDER BY offset LIMIT ?",
        (stretch.topic_id, stretch.number, bound, limit),
    )
    for offset, timestamp in candidates:
        if timestamp >= older_than:
            break
        first = offset + 1
    return first


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
