"""Reads a pipeline's state from the log, the warehouse and the run files; changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from stenograph.errors import StenographError
from stenograph.offsets import Partition
from stenograph.ports import (
    ChangeLogAudit,
    Extent,
    HistoryReader,
    LedgerEntry,
    SetAside,
    StoredGap,
    open_gaps,
)
from stenograph.schemas import TablePlan
from stenograph.supervisor import held_by, read_state


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table: how many records wait in the log, and for how long the oldest has (seconds).

    A number is None while the log or the history that knows it cannot be read. `stored_at` is when the warehouse last
    stored something of the topic; None if it never did.
    """

    table: str
    history: str
    in_log: int | None
    stored_up_to: int | None
    waiting: int | None
    waiting_seconds: float | None
    quarantined: int | None
    stored_at: str | None


@dataclass(frozen=True, slots=True)
class LoopStatus:
    """One loop. `pid` is None where no process runs it now; `error` is the last one, while it lasts.

    `reading` says in words which table is being read and how far that is.
    """

    loop: str
    pid: int | None
    records: int
    retries: int
    error: str | None
    paused: Mapping[str, str]
    reading: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The whole pipeline; `gaps` are sentences, and so is `unread`: why the log or the history cannot be read."""

    pipeline: str
    tables: tuple[TableStatus, ...]
    loops: tuple[LoopStatus, ...]
    gaps: tuple[str, ...]
    unread: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The status as JSON takes it."""
        return asdict(self)


T = TypeVar("T")
Oldest = Callable[[Partition, int], "int | None"]
"""The timestamp (ms since 1970 UTC) of the record at an offset; None if there is none, or it cannot be read."""


@dataclass(frozen=True, slots=True)
class _Books:
    """What history says of itself."""

    ledger: Mapping[Partition, LedgerEntry]
    aside: Sequence[SetAside]
    gaps: Sequence[StoredGap]


class _Asking:
    """Asks, and keeps a sentence about whatever cannot answer."""

    def __init__(self) -> None:
        self.unread: dict[str, None] = {}

    def ask(self, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except StenographError as error:
            self.unread[f"{error} {error.hint}"] = None
            return None


def look(
    pipeline: str,
    plans: Sequence[TablePlan],
    open_log: Callable[[], ChangeLogAudit],
    history: HistoryReader,
    run_folder: Path,
) -> Status:
    """Read it all once. What cannot be read is left out and named: a status is asked for when something is wrong."""
    asking = _Asking()
    log = asking.ask(open_log)
    try:
        extents = None if log is None else asking.ask(log.extents)
        books = asking.ask(lambda: _Books(history.ledger(), *history.incidents()))

        def oldest(partition: Partition, offset: int) -> int | None:
            batch = None if log is None else asking.ask(lambda: log.records(partition, offset, 1))
            return batch.timestamps[0] if batch is not None and batch.timestamps else None

        tables = tuple(_table(plan, extents, books, oldest) for plan in plans)
    finally:
        if log is not None:
            log.close()
    return Status(
        pipeline=pipeline,
        tables=tables,
        loops=tuple(_loop(run_folder, name) for name in ("capture", "sink")),
        gaps=tuple(
            f"{gap.table or 'all tables'} of {gap.source}: {gap.after} to {gap.before}, {gap.cause}"
            for gap in (() if books is None else open_gaps(books.gaps))
        ),
        unread=tuple(asking.unread),
    )


def _table(
    plan: TablePlan, extents: Mapping[Partition, Extent] | None, books: _Books | None, oldest: Oldest
) -> TableStatus:
    mine = {} if extents is None else {p: e for p, e in extents.items() if p.topic == plan.topic}
    end = sum(extent.end for extent in mine.values())
    stored = 0
    since: list[int] = []
    moved: list[datetime] = []
    for partition, extent in mine.items():
        entry = None if books is None else books.ledger.get(partition)
        at = entry.next_offset if entry is not None and entry.generation == extent.generation else 0
        stored += min(at, extent.end)
        if entry is not None:
            moved.append(entry.recorded_at)
        if at < extent.end and books is not None:
            first = oldest(partition, at)
            since += [] if first is None else [first]
    waited = max(0.0, datetime.now(UTC).timestamp() - min(since) / 1000) if since else 0.0
    both = extents is not None and books is not None
    return TableStatus(
        table=str(plan.table),
        history=plan.history,
        in_log=None if extents is None else end,
        stored_up_to=stored if both else None,
        waiting=end - stored if both else None,
        waiting_seconds=round(waited, 1) if both else None,
        quarantined=None if books is None else _set_aside(books, plan.topic),
        stored_at=max(moved).isoformat() if moved else None,
    )


def _set_aside(books: _Books, topic: str) -> int:
    return sum(record.state == "open" and record.partition.topic == topic for record in books.aside)


def _loop(folder: Path, name: str) -> LoopStatus:
    state, pid = read_state(folder, name), held_by(folder, name)
    if state is None:
        return LoopStatus(name, pid, 0, 0, None, {})
    reading = None if state.reading is None or state.pid != pid else str(state.reading)
    return LoopStatus(name, pid, state.records, state.retries, state.error, state.paused, reading)
