"""What the log keeps for the source: where to resume, and how far each table has been read.

Knows no server; only `source` and `audit` read it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from stenograph.errors import SourceRefused
from stenograph.events import TableId
from stenograph.offsets import Position, order_of
from stenograph.sources.postgres.catalogue import Signature

_VERSION = 1


class Phase(StrEnum):
    """How far a run has come."""

    STARTING = "starting"
    """The log knows of the run; the slot may or may not exist yet."""
    STREAMING = "streaming"
    """The slot exists and holds everything after the position."""


class Reading(StrEnum):
    """Whether a table's rows are in the log."""

    READING = "reading"
    READ = "read"


@dataclass(frozen=True, slots=True)
class TableMark:
    """How far a table has been read.

    `attempt` counts the readings of a run, from 1. `at` is the consistent point of the last finished reading:
    changes that committed before it are in the rows read. `again` says that history may hold rows from before.
    """

    signature: Signature
    reading: Reading
    attempt: int
    at: int
    again: bool


@dataclass(frozen=True, slots=True)
class Loss:
    """Changes that the server no longer has, from `after` to `until`; each is 0 where nobody knows.

    `committed_at` is the time of the last commit before them, in µs since 1970 UTC. `repaired_by` is the run that
    reads the tables anew; None while none does.
    """

    cause: str
    after: int
    until: int
    committed_at: int
    repaired_by: int | None = None


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a run of capture stands: everything that committed before `lsn` has been given.

    `last_commit` is the end of the last transaction seen, None before any, and `last_committed_at` its time (µs):
    `source.sequence` of the next change needs it after a restart too. `loss` is what a starting run has to record.
    """

    system: str
    timeline: int
    run: int
    slot: str
    phase: Phase
    lsn: int
    last_commit: int | None
    last_committed_at: int
    tables: Mapping[TableId, TableMark]
    loss: Loss | None = None

    def position(self) -> Position:
        """As the log stores it."""
        return Position(order_of(self.run, self.lsn, 0, 0), self._resume())

    def with_mark(self, table: TableId, mark: TableMark) -> ResumePoint:
        """The same with one table's mark replaced."""
        return replace(self, tables={**self.tables, table: mark})

    def unread(self, tables: Collection[TableId]) -> ResumePoint:
        """The same with these tables to be read again."""
        resume = self
        for table in tables:
            if table in self.tables:
                mark = replace(self.tables[table], reading=Reading.READING)
                resume = resume.with_mark(table, mark)
        return resume

    def _resume(self) -> bytes:
        facts: dict[str, object] = {
            "version": _VERSION,
            "system": self.system,
            "timeline": self.timeline,
            "run": self.run,
            "slot": self.slot,
            "phase": self.phase.value,
            "lsn": self.lsn,
            "last_commit": self.last_commit,
            "last_committed_at": self.last_committed_at,
            "tables": [
                {
                    "schema": table.schema,
                    "name": table.name,
                    "oid": mark.signature.oid,
                    "key": list(mark.signature.key),
                    "state": mark.reading.value,
                    "attempt": mark.attempt,
                    "at": mark.at,
                    "again": mark.again,
                }
                for table, mark in sorted(self.tables.items())
            ],
        }
        if self.loss is not None:
            facts["loss"] = asdict(self.loss)
        return json.dumps(facts, separators=(",", ":"), ensure_ascii=False).encode()


def resume_point(position: Position) -> ResumePoint:
    """The position as we stored it; raise SourceRefused if another version or source wrote it."""
    try:
        facts = json.loads(position.resume)
        version = facts["version"]
        if version == _VERSION:
            return ResumePoint(
                system=facts["system"],
                timeline=facts["timeline"],
                run=facts["run"],
                slot=facts["slot"],
                phase=Phase(facts["phase"]),
                lsn=facts["lsn"],
                last_commit=facts["last_commit"],
                last_committed_at=facts["last_committed_at"],
                tables={
                    TableId(t["schema"], t["name"]): TableMark(
                        Signature(t["oid"], tuple(t["key"])),
                        Reading(t["state"]),
                        t["attempt"],
                        t["at"],
                        t["again"],
                    )
                    for t in facts["tables"]
                },
                loss=None if facts.get("loss") is None else Loss(**facts["loss"]),
            )
    except (ValueError, KeyError, TypeError):
        version = "unreadable"
    raise SourceRefused(
        "The log's position for this source is not one that this version of capture wrote.",
        hint="Use the version that wrote it, or begin a new run with `steno capture --anew`.",
        position_version=version,
    )
