"""Reads the log's file as one sink does: every partition of its topics, from where it was told to.

Keeps its place in memory only: what is durable is the warehouse's ledger, and what was reported.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from stenograph.errors import LogRefused
from stenograph.logs.embedded.faults import told_as_log_errors
from stenograph.logs.embedded.file import LogFile, open_existing
from stenograph.logs.embedded.records import RecordTable
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.shares import fair_shares
from stenograph.logs.embedded.topics import Stretch, refuse_changed_count, stretches
from stenograph.offsets import Assignment, Partition
from stenograph.ports import LoggedBatch

POLL_BYTES = 16 << 20
"""A poll ends with the record that reaches this many bytes, however large the limit of records (Invariant 10)."""
_FIRST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.05


class EmbeddedLogReader:
    """A `ChangeLogReader` on one SQLite file; it has no partition until the file is there.

    Every reader is given all partitions of `topics`, whatever its group: `group` names the reports. Raise LogRefused
    for a file that is not ours or a topic with another partition count than the settings'.
    """

    def __init__(
        self, path: Path, settings: EmbeddedLogSettings, *, group: str, topics: Sequence[str]
    ) -> None:
        self._path = path
        self._partitions = settings.partitions
        self._group = group
        self._topics = frozenset(topics)
        self._places: dict[Partition, int] = {}
        self._turn = 0
        self._records = RecordTable("")
        self._file: LogFile | None = None
        self._open()

    def assigned(self) -> Mapping[Partition, Assignment]:
        """See `ChangeLogReader.assigned`: all partitions of the topics that exist now."""
        log = self._open()
        if log is None:
            return {}
        with log.transaction("BEGIN") as connection:
            held = [partition for partition in stretches(connection) if partition.topic in self._topics]
        counts: dict[str, int] = {}
        for partition in held:
            counts[partition.topic] = counts.get(partition.topic, 0) + 1
        for topic, count in counts.items():
            refuse_changed_count(topic, count, self._partitions)
        return {partition: Assignment(log.generation, counts[partition.topic]) for partition in held}

    def seek(self, partition: Partition, offset: int) -> None:
        """See `ChangeLogReader.seek`; the end itself is a place to read on from."""
        log = self._open()
        held: Stretch | None = None
        if log is not None and partition.topic in self._topics:
            with log.transaction("BEGIN") as connection:
                held = stretches(connection).get(partition)
        if held is None:
            raise LogRefused(
                "The log has no such partition for this reader.",
                hint="Check the pipeline's tables and source name against the log's topics (`steno status`).",
                partition=partition,
            )
        _refuse_gone(partition, offset, held)
        self._places[partition] = offset

    def poll(self, limit: int, wait: timedelta) -> Sequence[LoggedBatch]:
        """See `ChangeLogReader.poll`; partitions take turns, so that a busy one does not hold up the others."""
        deadline = time.monotonic() + wait.total_seconds()
        pause = _FIRST_PAUSE_SECONDS
        seen: int | None = None
        while True:
            version = self._version()
            if version is not None and version != seen:
                seen = version
                batches = self._read(limit)
                if batches:
                    return batches
            left = deadline - time.monotonic()
            if left <= 0:
                return ()
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    def report(self, offsets: Mapping[Partition, int]) -> None:
        """See `ChangeLogReader.report`: per partition, the offset that the warehouse reads on from."""
        log = self._open()
        if log is None or not offsets:
            return
        with log.transaction("BEGIN IMMEDIATE") as connection:
            connection.executemany(
                'INSERT INTO reports ("group", topic_id, partition, offset)'
                " SELECT ?, e.topic_id, e.partition, min(?, e.next) FROM ends e JOIN topics t ON t.id = e.topic_id"
                " WHERE t.name = ? AND e.partition = ?"
                ' ON CONFLICT ("group", topic_id, partition) DO UPDATE SET offset = excluded.offset',
                [(self._group, offset, place.topic, place.number) for place, offset in offsets.items()],
            )

    def close(self) -> None:
        """See `ChangeLogReader.close`."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> LogFile | None:
        if self._file is None:
            self._file = open_existing(self._path)
            if self._file is not None:
                self._records = RecordTable(self._file.generation)
        return self._file

    def _version(self) -> int | None:
        """A number that changes when another connection has committed; None while there is no file."""
        log = self._open()
        if log is None:
            return None
        with told_as_log_errors(self._path):
            log.refuse_replaced()
            (version,) = log.connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _read(self, limit: int) -> list[LoggedBatch]:
        log = self._open()
        if log is None or not self._places:
            return []
        with log.transaction("BEGIN") as connection:
            batches = self._read_shares(connection, limit)
        for batch in batches:
            self._places[batch.partition] = batch.stop
        return batches

    def _read_shares(self, connection: sqlite3.Connection, limit: int) -> list[LoggedBatch]:
        held = stretches(connection)
        waiting: dict[Partition, int] = {}
        for partition, place in self._in_turn():
            _refuse_gone(partition, place, held[partition])
            if held[partition].next > place:
                waiting[partition] = held[partition].next - place
        batches: list[LoggedBatch] = []
        shares = fair_shares(waiting, limit)
        bytes_left = POLL_BYTES
        for turn, (partition, share) in enumerate(shares.items()):
            budget = bytes_left // (len(shares) - turn)
            if budget <= 0:
                break
            batch, size = self._records.read(
                connection, partition, held[partition], self._places[partition], share, budget
            )
            bytes_left -= size
            batches.append(batch)
        return batches

    def _in_turn(self) -> list[tuple[Partition, int]]:
        places = list(self._places.items())
        self._turn = (self._turn + 1) % len(places)
        return places[self._turn :] + places[: self._turn]


def _refuse_gone(partition: Partition, offset: int, held: Stretch) -> None:
    facts = {"partition": partition, "wanted": offset, "first": held.first, "end": held.next}
    if offset < held.first:
        raise LogRefused(
            "The log no longer holds the records that this sink needs next.",
            hint="Retention has passed this sink: there is a gap in its history. Read the tables again to close it.",
            **facts,
        )
    if offset > held.next:
        raise LogRefused(
            "The log ends before the place this sink has reached.",
            hint="The log was replaced by an older copy of itself: restore the newer file, or begin a new log.",
            **facts,
        )
