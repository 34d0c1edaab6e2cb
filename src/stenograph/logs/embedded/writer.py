"""Appends encoded batches to the log's file, with the source's position in the same transaction.

Reads no record back and retries nothing: after any error the same batch may be appended again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from stenograph.errors import LogUnavailable
from stenograph.logs.embedded.file import LogFile, create_or_open
from stenograph.logs.embedded.headers import pack_headers
from stenograph.logs.embedded.partitioner import partition_of
from stenograph.logs.embedded.positions import store_position, stored_position
from stenograph.logs.embedded.retention import remove_reported
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.topics import topic_ids
from stenograph.offsets import Position
from stenograph.ports import EncodedBatch

RETENTION_PAUSE = timedelta(minutes=1)
RETENTION_PIECE = 10_000
"""Records removed in one transaction, so that an append never waits long for retention."""


class EmbeddedLogWriter:
    """A `ChangeLogWriter` on one SQLite file, which is made if there is none.

    Raise LogRefused for a file or folder that cannot be written or is not ours.
    """

    def __init__(self, path: Path, settings: EmbeddedLogSettings) -> None:
        self._path = path
        self._settings = settings
        self._file: LogFile | None = create_or_open(path)
        self._retention_due = time.monotonic()

    def append(self, batch: EncodedBatch) -> None:
        """See `ChangeLogWriter.append`; waits at most `BUSY_SECONDS` for another process."""
        if not len(batch) and batch.upto is None:
            return
        partitions = self._settings.partitions
        numbers = [partition_of(key, partitions) for key in batch.keys]
        headers = [pack_headers(of_record) for of_record in batch.headers]
        with self._open().transaction("BEGIN IMMEDIATE") as connection:
            if batch.upto is not None:
                store_position(connection, batch.source, batch.upto)
            if len(batch):
                self._insert(connection, batch, numbers, headers)
        self._retain()

    def position(self, source: str) -> Position | None:
        """See `ChangeLogWriter.position`."""
        with self._open().transaction("BEGIN") as connection:
            return stored_position(connection, source)

    def close(self) -> None:
        """See `ChangeLogWriter.close`."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> LogFile:
        if self._file is None:
            self._file = create_or_open(self._path)
        return self._file

    def _insert(
        self, connection: sqlite3.Connection, batch: EncodedBatch, numbers: list[int], headers: list[bytes]
    ) -> None:
        ids = topic_ids(connection, dict.fromkeys(batch.topics), self._settings.partitions)
        lane = _lane_id(connection, batch.lane)
        ends = _ends(connection, ids)
        rows = []
        for topic, number, timestamp, key, value, order, blob in zip(
            batch.topics,
            numbers,
            batch.timestamps,
            batch.keys,
            batch.values,
            batch.orders,
            headers,
            strict=True,
        ):
            place = (ids[topic], number)
            offset = ends[place]
            ends[place] = offset + 1
            rows.append((*place, offset, timestamp, key, value, lane, order, blob))
        connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.executemany(
            "UPDATE ends SET next = ?3 WHERE topic_id = ?1 AND partition = ?2 AND next <> ?3",
            [(*place, end) for place, end in ends.items()],
        )

    def _retain(self) -> None:
        now = time.monotonic()
        if now < self._retention_due:
            return
        older_than = int((time.time() - timedelta(days=self._settings.retain_days).total_seconds()) * 1000)
        removed = 0
        # The append is durable already; what cannot be removed now is removed after a later one.
        with suppress(LogUnavailable), self._open().transaction("BEGIN IMMEDIATE") as connection:
            removed = remove_reported(connection, older_than, RETENTION_PIECE)
        if removed < RETENTION_PIECE:
            self._retention_due = now + RETENTION_PAUSE.total_seconds()


def _ends(connection: sqlite3.Connection, ids: Mapping[str, int]) -> dict[tuple[int, int], int]:
    return {
        (topic_id, number): end
        for topic_id in ids.values()
        for number, end in connection.execute(
            "SELECT partition, next FROM ends WHERE topic_id = ?", (topic_id,)
        )
    }


def _lane_id(connection: sqlite3.Connection, lane: str) -> int:
    connection.execute("INSERT INTO lanes (name) VALUES (?) ON CONFLICT (name) DO NOTHING", (lane,))
    (lane_id,) = connection.execute("SELECT id FROM lanes WHERE name = ?", (lane,)).fetchone()
    return int(lane_id)
