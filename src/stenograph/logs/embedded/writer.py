"""Appends encoded batches to the log's file, with the source's position in the same transaction.

Reads no record back and retries nothing: after any error the same batch may be appended again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from stenograph.errors import LogUnavailable
from stenograph.logs.embedded.division import Share, divide
from stenograph.logs.embedded.file import LogFile, create_or_open
from stenograph.logs.embedded.positions import store_position, stored_position
from stenograph.logs.embedded.records import LARGE_BYTES
from stenograph.logs.embedded.retention import REMOVED_BYTES, remove_reported
from stenograph.logs.embedded.room import make_room
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.topics import topic_ids
from stenograph.offsets import Position
from stenograph.ports import EncodedBatch

RETENTION_PAUSE = timedelta(minutes=1)
_INSERT = "INSERT INTO segments (topic_id, partition, first, next, oldest, newest, payload) VALUES (?, ?, ?, ?, ?, ?,"


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
        shares = list(divide(batch, self._settings.partitions)) if len(batch) else []
        with self._open().transaction("BEGIN IMMEDIATE") as connection:
            if batch.upto is not None:
                store_position(connection, batch.source, batch.upto)
            if shares:
                make_room(connection, sum(share.size for share in shares), self._settings, self._path)
                self._insert(connection, shares)
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

    def _insert(self, connection: sqlite3.Connection, shares: Sequence[Share]) -> None:
        ids = topic_ids(connection, dict.fromkeys(share.topic for share in shares), self._settings.partitions)
        ends = _ends(connection, ids)
        moved: dict[tuple[int, int], int] = {}
        for share in shares:
            place = (ids[share.topic], share.number)
            first = moved.get(place, ends[place])
            moved[place] = first + share.count
            _store(connection, (*place, first, moved[place], share.oldest, share.newest), share)
        connection.executemany(
            "UPDATE ends SET next = ?3 WHERE topic_id = ?1 AND partition = ?2",
            [(*place, end) for place, end in moved.items()],
        )

    def _retain(self) -> None:
        now = time.monotonic()
        if now < self._retention_due:
            return
        older_than = int((time.time() - timedelta(days=self._settings.retain_days).total_seconds()) * 1000)
        more = False
        # The append is durable already; what cannot be removed now is removed after a later one.
        with suppress(LogUnavailable), self._open().transaction("BEGIN IMMEDIATE") as connection:
            more = remove_reported(connection, older_than, REMOVED_BYTES)
        if not more:
            self._retention_due = now + RETENTION_PAUSE.total_seconds()


def _ends(connection: sqlite3.Connection, ids: Mapping[str, int]) -> dict[tuple[int, int], int]:
    return {
        (topic_id, number): end
        for topic_id in ids.values()
        for number, end in connection.execute(
            "SELECT partition, next FROM ends WHERE topic_id = ?", (topic_id,)
        )
    }


def _store(connection: sqlite3.Connection, place: tuple[int, ...], share: Share) -> None:
    if share.size <= LARGE_BYTES:
        connection.execute(f"{_INSERT} ?)", (*place, b"".join(share.pieces)))
        return
    key = connection.execute(f"{_INSERT} zeroblob(?))", (*place, share.size)).lastrowid
    assert key is not None
    with connection.blobopen("segments", "payload", key) as blob:
        for piece in share.pieces:
            blob.write(piece)
