"""Reads a pipeline's state from the log, the warehouse and the run files; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from stenograph.offsets import Partition
from stenograph.ports import ChangeLogAudit, Extent, HistoryReader, LedgerEntry
from stenograph.schemas import TablePlan
from stenograph.supervisor import held_by, read_state


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table: how many records wait in the log, and for how long the oldest has (seconds).

    `stored_at` is when the warehouse last stored something of the topic; None if it never did.
    """

    table: str
    history: str
    in_log: int
    stored_up_to: int
    waiting: int
    waiting_seconds: float
    quarantined: int
    stored_at: str | None


@dataclass(frozen=True, slots=True)
class LoopStatus:
    """One loop. `pid` is None where no process runs it now; `error` is the last one, while it lasts."""

    loop: str
    pid: int | None
    records: int
    retries: int
    error: str | None
    paused: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Status:
    """The whole pipeline; `gaps` are sentences."""

    pipeline: str
    tables: tuple[TableStatus, ...]
    loops: tuple[LoopStatus, ...]
    gaps: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The status as JSON takes it."""
        return asdict(self)


def look(
    pipeline: str, plans: Sequence[TablePlan], log: ChangeLogAudit, history: HistoryReader, run_folder: Path
) -> Status:
    """Read it all once."""
    extents, ledger = log.extents(), history.ledger()
    aside, gaps = history.incidents()
    open_aside = [record.partition.topic for record in aside if record.state == "open"]
    return Status(
        pipeline=pipeline,
        tables=tuple(_table(plan, log, extents, ledger, open_aside.count(plan.topic)) for plan in plans),
        loops=tuple(_loop(run_folder, name) for name in ("capture", "sink")),
        gaps=tuple(
            f"{gap.table or 'all tables'} of {gap.source}: {gap.after} to {gap.before}, {gap.cause}"
            for gap in gaps
        ),
    )


def _table(
    plan: TablePlan,
    log: ChangeLogAudit,
    extents: Mapping[Partition, Extent],
    ledger: Mapping[Partition, LedgerEntry],
    quarantined: int,
) -> TableStatus:
    end = stored = 0
    oldest: float | None = None
    stored_at: datetime | None = None
    for partition, extent in extents.items():
        if partition.topic != plan.topic:
            continue
        entry = ledger.get(partition)
        at = entry.next_offset if entry is not None and entry.generation == extent.generation else 0
        end, stored = end + extent.end, stored + min(at, extent.end)
        if entry is not None:
            stored_at = max(stored_at or entry.recorded_at, entry.recorded_at)
        if at < extent.end:
            first = log.records(partition, at, 1).timestamps
            oldest = min(oldest or first[0], first[0]) if first else oldest
    waited = 0.0 if oldest is None else max(0.0, datetime.now(UTC).timestamp() - oldest / 1000)
    return TableStatus(
        table=str(plan.table),
        history=plan.history,
        in_log=end,
        stored_up_to=stored,
        waiting=end - stored,
        waiting_seconds=round(waited, 1),
        quarantined=quarantined,
        stored_at=None if stored_at is None else stored_at.isoformat(),
    )


def _loop(folder: Path, name: str) -> LoopStatus:
    state, pid = read_state(folder, name), held_by(folder, name)
    if state is None:
        return LoopStatus(name, pid, 0, 0, None, {})
    return LoopStatus(name, pid, state.records, state.retries, state.error, state.paused)
