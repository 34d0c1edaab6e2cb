"""What the log keeps for the source: where to resume, and how far each table has been read.

Knows no server; only `source` and `audit` read it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from stenograph.errors import SourceRefused
from stenograph.events import TableId
from stenograph.offsets import Position, order_of
from stenograph.sources.postgres.catalogue import Signature
from stenograph.sources.postgres.layout import Layout

_VERSION = 2
_READABLE = frozenset({1, 2})
"""Version 1 knows neither layouts nor requests; it is written anew at the first move."""


class Phase(StrEnum):
    """How far a run has come."""

    STARTING = "starting"
    """The log knows of the run; the slot may or may not exist yet."""
    STREAMING = "streaming"
    """The slot exists and holds everything after the position."""


class Reading(StrEnum):
    """Whether a table's rows are in the log."""

    READING = "reading"
    """Not, or not all: changes of the table are left out until they are."""
    READ = "read"
    AGAIN = "again"
    """They are, and they are being read once more: changes go on being given until the new rows come."""


@dataclass(frozen=True, slots=True)
class Stale:
    """Rows of a table were changed without an event.

    `agreed` is the last LSN at which history is known to have had the table's rows, `noticed` the one at which the
    rewrite was seen, at `seen_at` (µs since 1970 UTC). Of several rewrites it is the first agreement and the last
    notice.
    """

    cause: str
    agreed: int
    noticed: int
    seen_at: int


@dataclass(frozen=True, slots=True)
class TableMark:
    """How far a table has been read.

    `attempt` counts the readings of a run, from 1. `at` is the consistent point of the last finished reading:
    changes that committed before it are in the rows read. `again` says that history may hold rows from before.
    `layout` is the table as it was when history last agreed with it, None where nobody knows. `stale` says since when
    it does not. `request` is the newest request for a reading that was taken up, 0 for none.
    """

    signature: Signature
    reading: Reading
    attempt: int
    at: int
    again: bool
    layout: Layout | None = None
    stale: Stale | None = None
    request: int = 0

    @property
    def is_mended(self) -> bool:
        """Whether a stale table has been read since, and nothing says so yet."""
        return self.stale is not None and self.reading is Reading.READ and self.at >= self.stale.noticed


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
            "tables": [_table_facts(table, mark) for table, mark in sorted(self.tables.items())],
        }
        if self.loss is not None:
            facts["loss"] = asdict(self.loss)
        return json.dumps(facts, separators=(",", ":"), ensure_ascii=False).encode()


def resume_point(position: Position) -> ResumePoint:
    """The position as we stored it; raise SourceRefused if another version or source wrote it."""
    try:
        facts = json.loads(position.resume)
        version = facts["version"]
        if version in _READABLE:
            return ResumePoint(
                system=facts["system"],
                timeline=facts["timeline"],
                run=facts["run"],
                slot=facts["slot"],
                phase=Phase(facts["phase"]),
                lsn=facts["lsn"],
                last_commit=facts["last_commit"],
                last_committed_at=facts["last_committed_at"],
                tables={TableId(t["schema"], t["name"]): _table_mark(t) for t in facts["tables"]},
                loss=None if facts.get("loss") is None else Loss(**facts["loss"]),
            )
    except (ValueError, KeyError, TypeError):
        version = "unreadable"
    raise SourceRefused(
        "The log's position for this source is not one that this version of capture wrote.",
        hint="Use the version that wrote it, or begin a new run with `steno capture --anew`.",
        position_version=version,
    )


def _table_facts(table: TableId, mark: TableMark) -> dict[str, object]:
    facts: dict[str, object] = {
        "schema": table.schema,
        "name": table.name,
        "oid": mark.signature.oid,
        "key": list(mark.signature.key),
        "state": mark.reading.value,
        "attempt": mark.attempt,
        "at": mark.at,
        "again": mark.again,
    }
    if mark.layout is not None:
        facts["layout"] = mark.layout.as_json()
    if mark.stale is not None:
        facts["stale"] = asdict(mark.stale)
    if mark.request:
        facts["request"] = mark.request
    return facts


def _table_mark(facts: Mapping[str, Any]) -> TableMark:
    return TableMark(
        Signature(facts["oid"], tuple(facts["key"])),
        Reading(facts["state"]),
        facts["attempt"],
        facts["at"],
        facts["again"],
        layout=Layout.of_json(facts["layout"]) if "layout" in facts else None,
        stale=Stale(**facts["stale"]) if "stale" in facts else None,
        request=facts.get("request", 0),
    )
