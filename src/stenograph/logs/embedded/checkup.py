"""Looks at a log's file as its writer and its readers would meet it.

Writes no record and registers no group.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from stenograph.diagnosis import Diagnosis, fault, ok, place_point, room_point, size, warning
from stenograph.logs.embedded.faults import told_as_log_errors
from stenograph.logs.embedded.file import open_existing, refuse_unwritable
from stenograph.logs.embedded.records import oldest_from
from stenograph.logs.embedded.retention import is_any_removable
from stenograph.logs.embedded.room import live_bytes
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.topics import Stretch, stretches
from stenograph.offsets import Partition

_DAY_SECONDS = 86_400
_NEARLY_FULL = 0.9


@dataclass(frozen=True, slots=True)
class EmbeddedLogCheckup:
    """The look at one file; a file that is not there yet is no fault."""

    path: Path
    settings: EmbeddedLogSettings
    pipeline: str

    def examine(self) -> Iterator[Diagnosis]:
        """See `Examined.examine`. Raise LogRefused or LogUnavailable."""
        with told_as_log_errors(self.path):
            if not self.path.exists():
                yield place_point(self.path, "There is no log yet; capture will make it.")
                yield room_point(self.path, 0)
                return
            refuse_unwritable(self.path)
            taken = sum(_bytes(self.path.with_name(self.path.name + end)) for end in ("", "-wal"))
            log = open_existing(self.path)
            if log is None:
                return
            with closing(log):
                yield ok("openable", f"The log can be read and written; it takes {size(taken)}.")
                yield room_point(self.path, taken)
                with log.transaction("BEGIN") as connection:
                    held = stretches(connection)
                    points = [
                        *self._partitions(connection),
                        self._oldest(connection, held),
                        *self._unreported(connection, held),
                        *self._size(connection),
                    ]
                yield from points

    def _partitions(self, connection: sqlite3.Connection) -> Iterator[Diagnosis]:
        wanted = self.settings.partitions
        for topic, count in connection.execute("SELECT name, partitions FROM topics ORDER BY name"):
            if count != wanted:
                yield fault(
                    "partitions",
                    f"The topic {topic} has {count} partitions, and the settings say {wanted}.",
                    f"log: {{kind: embedded, partitions: {count}}} # in the pipeline file",
                )

    def _oldest(self, connection: sqlite3.Connection, held: dict[Partition, Stretch]) -> Diagnosis:
        stamps = [
            stamp
            for part in held.values()
            if (stamp := oldest_from(connection, part, part.first)) is not None
        ]
        count = sum(part.next - part.first for part in held.values())
        if not stamps:
            return ok("records", "The log holds no record.")
        age = _age(max(0.0, time.time() - min(stamps) / 1000))
        kept, most = self.settings.retain_days, size(self.settings.max_bytes)
        sentence = (
            f"The log holds {count:,} records; the oldest is {age} old. {kept:g} days or {most} are kept."
        )
        return ok("records", sentence)

    def _size(self, connection: sqlite3.Connection) -> Iterator[Diagnosis]:
        held, most = live_bytes(connection), self.settings.max_bytes
        if held < most * _NEARLY_FULL or is_any_removable(connection):
            return
        sentence = f"records that no sink has stored take {size(held)}; `log.max_size` is {size(most)}."
        fix = f"steno sink -p {self.pipeline} # or raise log.max_size"
        if held > most:
            yield fault("size", f"The log has reached its size, and capture waits: {sentence}", fix)
        else:
            yield warning(
                "size", f"The log has nearly reached its size, and capture will wait: {sentence}", fix
            )

    def _unreported(
        self, connection: sqlite3.Connection, held: dict[Partition, Stretch]
    ) -> Iterator[Diagnosis]:
        reported = {
            (topic_id, number): offset
            for topic_id, number, offset in connection.execute(
                "SELECT topic_id, partition, min(offset) FROM reports GROUP BY topic_id, partition"
            )
        }
        waiting = 0
        overdue = False
        for part in held.values():
            place = (part.topic_id, part.number)
            at = max(part.first, reported.get(place, part.first))
            waiting += max(0, part.next - at)
            stamp = oldest_from(connection, part, at)
            overdue = overdue or (
                stamp is not None and time.time() - stamp / 1000 > self.settings.retain_days * _DAY_SECONDS
            )
        if not waiting:
            return
        sentence = f"No sink has reported {waiting:,} records as stored; retention keeps them."
        if overdue:
            yield warning(
                "unreported",
                f"{sentence} Some are older than the {self.settings.retain_days:g} days that others are kept.",
                f"steno sink -p {self.pipeline}",
            )
        elif not reported:
            yield warning("unreported", f"{sentence} None ever has.", f"steno sink -p {self.pipeline}")
        else:
            yield ok("unreported", sentence)


def _age(seconds: float) -> str:
    for unit, length in (("days", _DAY_SECONDS), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def _bytes(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
