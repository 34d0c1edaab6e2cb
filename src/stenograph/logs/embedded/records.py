"""Reads a stretch of one partition as a batch.

Moves nothing and waits for nothing.
"""

from __future__ import annotations

import sqlite3

from stenograph.logs.embedded.headers import unpack_headers
from stenograph.logs.embedded.topics import Stretch
from stenograph.offsets import Partition
from stenograph.ports import LoggedBatch

_ROW = tuple[int, int, bytes | None, bytes | None, int | None, bytes | None, bytes]


class RecordTable:
    """The records of one log file, with the names of lanes seen so far."""

    def __init__(self, generation: str) -> None:
        self._generation = generation
        self._lanes: dict[int | None, str | None] = {None: None}

    def read(
        self,
        connection: sqlite3.Connection,
        partition: Partition,
        stretch: Stretch,
        start: int,
        limit: int,
        byte_limit: int | None = None,
    ) -> tuple[LoggedBatch, int]:
        """At most `limit` records from `start` on, and the bytes of their keys, values and headers.

        Ends with the record that reaches `byte_limit`, which is held whole: one record is always given if there is one.
        """
        cursor = connection.execute(
            "SELECT offset, timestamp, key, value, lane, ord, headers FROM records"
            " WHERE topic_id = ? AND partition = ? AND offset >= ? ORDER BY offset LIMIT ?",
            (stretch.topic_id, stretch.number, start, limit),
        )
        rows: list[_ROW] = []
        size = 0
        for row in cursor:
            rows.append(row)
            size += len(row[2] or b"") + len(row[3] or b"") + len(row[6])
            if byte_limit is not None and size >= byte_limit:
                break
        cursor.close()
        return self._batch(connection, partition, start, rows), size

    def _batch(
        self, connection: sqlite3.Connection, partition: Partition, start: int, rows: list[_ROW]
    ) -> LoggedBatch:
        if any(row[4] not in self._lanes for row in rows):
            self._lanes.update(connection.execute("SELECT id, name FROM lanes").fetchall())
        return LoggedBatch(
            partition=partition,
            generation=self._generation,
            start=start,
            stop=rows[-1][0] + 1 if rows else start,
            offsets=[row[0] for row in rows],
            timestamps=[row[1] for row in rows],
            keys=[row[2] for row in rows],
            values=[row[3] for row in rows],
            lanes=[self._lanes[row[4]] for row in rows],
            orders=[row[5] for row in rows],
            headers=[unpack_headers(row[6]) for row in rows],
        )
