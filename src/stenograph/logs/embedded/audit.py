"""Reads the log's file as an operator does: every topic, without a place of its own.

Writes nothing and registers no group.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stenograph.errors import LogRefused
from stenograph.logs.embedded.file import LogFile, open_existing
from stenograph.logs.embedded.positions import stored_position
from stenograph.logs.embedded.records import RecordTable
from stenograph.logs.embedded.topics import stretches
from stenograph.offsets import Partition, Position
from stenograph.ports import Extent, LoggedBatch


class EmbeddedLogAudit:
    """A `ChangeLogAudit` on one SQLite file; a file that is not there yet reads as an empty log."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: LogFile | None = None
        self._open()

    def extents(self) -> Mapping[Partition, Extent]:
        """See `ChangeLogAudit.extents`."""
        log = self._open()
        if log is None:
            return {}
        with log.transaction("BEGIN") as connection:
            held = stretches(connection)
        return {partition: Extent(log.generation, part.first, part.next) for partition, part in held.items()}

    def records(self, partition: Partition, start: int, limit: int) -> LoggedBatch:
        """See `ChangeLogAudit.records`; records that retention has removed are passed over, and `start` says so.

        Raise LogRefused if there is no such partition.
        """
        log = self._open()
        if log is not None:
            with log.transaction("BEGIN") as connection:
                held = stretches(connection).get(partition)
                if held is not None:
                    table = RecordTable(log.generation)
                    return table.read(connection, partition, held, max(start, held.first), limit)[0]
        raise LogRefused(
            "The log has no such partition.",
            hint="`steno log` lists the log's topics and partitions.",
            partition=partition,
        )

    def position(self, source: str) -> Position | None:
        """See `ChangeLogAudit.position`."""
        log = self._open()
        if log is None:
            return None
        with log.transaction("BEGIN") as connection:
            return stored_position(connection, source)

    def close(self) -> None:
        """See `ChangeLogAudit.close`."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> LogFile | None:
        if self._file is None:
            self._file = open_existing(self._path)
        return self._file
