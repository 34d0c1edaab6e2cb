"""The topics of a log file: their numbers, partition counts and ends.

Never adds a partition to a topic and never removes a topic.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stenograph.errors import LogRefused
from stenograph.offsets import Partition


@dataclass(frozen=True, slots=True)
class Stretch:
    """A partition in the file: its topic's number, and offsets held from `first` up to but not including `next`."""

    topic_id: int
    number: int
    first: int
    next: int


def stretches(connection: sqlite3.Connection) -> dict[Partition, Stretch]:
    """Every partition of every topic, in the order of topic and number."""
    found = connection.execute(
        "SELECT t.name, e.topic_id, e.partition, e.first, e.next"
        " FROM ends e JOIN topics t ON t.id = e.topic_id ORDER BY t.name, e.partition"
    )
    return {
        Partition(name, number): Stretch(topic, number, first, end)
        for name, topic, number, first, end in found
    }


def topic_ids(connection: sqlite3.Connection, topics: Iterable[str], partitions: int) -> Mapping[str, int]:
    """The topics' numbers; those that do not exist are made, with this many partitions.

    Raise LogRefused if one exists with another count.
    """
    ids: dict[str, int] = {}
    for topic in topics:
        found = connection.execute("SELECT id, partitions FROM topics WHERE name = ?", (topic,)).fetchone()
        if found is None:
            ids[topic] = _made(connection, topic, partitions)
        else:
            ids[topic], held = found
            refuse_changed_count(topic, held, partitions)
    return ids


def refuse_changed_count(topic: str, held: int, wanted: int) -> None:
    """Raise LogRefused unless the topic has as many partitions as the settings say."""
    if held != wanted:
        raise LogRefused(
            "The topic has another number of partitions than the pipeline's settings.",
            hint=f"Partitions are never added to a live topic, because keys would move: set `log.partitions` back to"
            f" {held}, or start a new topic (another source name or another log file).",
            topic=topic,
            partitions=held,
            wanted=wanted,
        )


def _made(connection: sqlite3.Connection, topic: str, partitions: int) -> int:
    connection.execute("INSERT INTO topics (name, partitions) VALUES (?, ?)", (topic, partitions))
    (topic_id,) = connection.execute("SELECT id FROM topics WHERE name = ?", (topic,)).fetchone()
    connection.executemany(
        "INSERT INTO ends (topic_id, partition, first, next) VALUES (?, ?, 0, 0)",
        [(topic_id, number) for number in range(partitions)],
    )
    return int(topic_id)
