"""The whole verification, in order: catch up, the books, the log, the source.

Writes nothing; waits only for the pipeline to pass the position that the source is read at.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from stenograph.history import plain_rows
from stenograph.offsets import Partition
from stenograph.ports import (
    ChangeLogAudit,
    HistoryReader,
    LedgerEntry,
    QueryConsole,
    SourceAudit,
    StoredSpan,
    open_gaps,
)
from stenograph.schemas import TablePlan, TableShape, recorded_shapes
from stenograph.sink import Readers
from stenograph.verify.bookkeeping import check_books
from stenograph.verify.excuses import Excuses
from stenograph.verify.replay import Replay
from stenograph.verify.report import Report
from stenograph.verify.source_state import check_source_state

_LOOK = 0.05
OpenAudit = Callable[[], SourceAudit]


@dataclass(frozen=True, slots=True)
class Sources:
    """What a proof looks at. `open_audit` is None where the source cannot be read at a position."""

    source: str
    plans: Sequence[TablePlan]
    log: ChangeLogAudit
    history: HistoryReader
    console: QueryConsole
    readers: Readers
    open_audit: OpenAudit | None


class Proof:
    """One verification; `progress` hears what is being checked."""

    def __init__(self, sources: Sources, patience: timedelta, progress: Callable[[str], None]) -> None:
        self._sources = sources
        self._patience = patience
        self._progress = progress
        self._report = Report()
        self._plans = {plan.topic: plan for plan in sources.plans}

    def run(self) -> Report:
        """Check everything; errors of the services themselves are raised as they are."""
        audit = self._sources.open_audit() if self._sources.open_audit is not None else None
        try:
            caught_up = self._catch_up(audit)
            shapes = self._sources.console.shapes()
            self._check_log(shapes)
            if audit is not None and caught_up:
                self._check_source(audit, shapes)
        finally:
            if audit is not None:
                audit.close()
        self._note_incidents()
        return self._report

    def _catch_up(self, audit: SourceAudit | None) -> bool:
        deadline = time.monotonic() + self._patience.total_seconds()
        log, source = self._sources.log, self._sources.source
        if audit is not None:
            self._progress("waiting for the log to pass the source's position")
            while not audit.reached(log.position(source)):
                if time.monotonic() > deadline:
                    self._report.leaves(
                        "source", source, "(all tables)", "the log has not reached the source's position"
                    )
                    return False
                time.sleep(_LOOK)
        self._progress("waiting for history to pass the log's end")
        ends = {p: e for p, e in log.extents().items() if p.topic in self._plans}
        while behind := self._behind({p: extent.end for p, extent in ends.items()}):
            if time.monotonic() > deadline:
                for partition, (at, end) in behind.items():
                    self._report.leaves(
                        "log", partition.topic, str(partition), f"history is at {at} of {end}"
                    )
                return False
            time.sleep(_LOOK)
        return True

    def _behind(self, ends: Mapping[Partition, int]) -> dict[Partition, tuple[int, int]]:
        ledger = self._sources.history.ledger()
        at = {partition: ledger[partition].next_offset if partition in ledger else 0 for partition in ends}
        return {partition: (at[partition], end) for partition, end in ends.items() if at[partition] < end}

    def _check_log(self, shapes: Mapping[str, TableShape]) -> None:
        sources = self._sources
        self._progress("checking the books")
        # The ledger is read before the spans: spans appended in between lie beyond it and are left for next time.
        ledger = sources.history.ledger()
        spans = [span for span in sources.history.spans() if _is_settled(span, ledger)]
        check_books(ledger, spans, self._report)
        self._progress("comparing history with the log")
        aside, _ = sources.history.incidents()
        replay = Replay(
            self._plans,
            shapes,
            sources.log,
            sources.history,
            sources.readers,
            aside,
            self._recorded(),
            self._report,
        )
        replay.check(spans)
        self._check_strays(spans, shapes)
        self._report.counts["tables"] = len(shapes)

    def _recorded(self) -> dict[str, tuple[TableShape, ...]]:
        texts: dict[str, list[str]] = defaultdict(list)
        found = self._sources.console.query(
            "SELECT history_table, shape::VARCHAR FROM _steno_schemas ORDER BY applied_at"
        )
        for table, shape in plain_rows(found.rows):
            texts[str(table)].append(str(shape))
        return {table: recorded_shapes(shapes) for table, shapes in texts.items()}

    def _check_strays(self, spans: Sequence[StoredSpan], shapes: Mapping[str, TableShape]) -> None:
        """Rows at places that no span covers: nobody but the sink may write here."""
        known = {(stored.span.partition, stored.span.generation) for stored in spans}
        for table in shapes:
            name = table.replace('"', '""')
            found = self._sources.console.query(
                "SELECT _steno_topic, _steno_log_partition, _steno_log_generation, "  # noqa: S608 - the name is quoted.
                "max(_steno_log_offset) "
                f'FROM "{name}" GROUP BY ALL'
            )
            ledger = self._sources.history.ledger()
            for topic, number, generation, newest in plain_rows(found.rows):
                partition = Partition(str(topic), number if isinstance(number, int) else -1)
                entry = ledger.get(partition)
                current = entry is not None and entry.generation == generation
                beyond = (
                    current and isinstance(newest, int) and entry is not None and newest >= entry.next_offset
                )
                if beyond or (not current and (partition, generation) not in known):
                    self._report.differs(
                        "books", table, str(partition), "history has rows at places that no span covers"
                    )

    def _check_source(self, audit: SourceAudit, shapes: Mapping[str, TableShape]) -> None:
        unchecked = audit.unchecked(self._sources.log.position(self._sources.source))
        aside = Excuses(self._sources.history.incidents()[0], self._sources.readers)
        for plan in self._sources.plans:
            reason = unchecked.get(plan.table)
            shape = shapes.get(plan.history)
            if reason is not None:
                self._report.leaves("source", plan.history, str(plan.table), reason)
            elif plan.topic in aside.keyless:
                self._report.leaves(
                    "source",
                    plan.history,
                    str(plan.table),
                    "a record in quarantine does not say which row it changes",
                )
            elif shape is None:
                self._check_missing(plan, audit, is_excused=aside.has(plan))
            else:
                self._progress(f"comparing {plan.history} with the source")
                excused = aside.of(plan, shape)
                check_source_state(plan, shape, audit, self._sources.history, excused, self._report)

    def _check_missing(self, plan: TablePlan, audit: SourceAudit, *, is_excused: bool) -> None:
        """A table that history has not, although the source has rows."""
        spans = [stored.span for stored in self._sources.history.spans() if stored.table == plan.history]
        # Rows that were stored and are gone with their table are told of each span already.
        is_told = is_excused or any(span.stored for span in spans)
        if not is_told and next(iter(audit.rows(plan, TableShape((), ()))), None) is not None:
            self._report.differs(
                "source", plan.history, str(plan.table), "the source has rows, history no such table"
            )

    def _note_incidents(self) -> None:
        aside, gaps = self._sources.history.incidents()
        for record in aside:
            if record.state == "open":
                place = f"{record.partition}@{record.offset}"
                self._report.leaves("quarantine", record.table, place, record.reason)
        for gap in open_gaps(gaps):
            self._report.leaves("gap", gap.table or "(all tables)", f"{gap.after} to {gap.before}", gap.cause)
        repaired = sum(gap.repaired_by is not None for gap in gaps)
        if repaired:
            self._report.counts["repaired_gaps"] = repaired


def _is_settled(stored: StoredSpan, ledger: Mapping[Partition, LedgerEntry]) -> bool:
    entry = ledger.get(stored.span.partition)
    if entry is None or entry.generation != stored.span.generation:
        return True
    return stored.span.stop <= entry.next_offset


def prove(sources: Sources, patience: timedelta, progress: Callable[[str], None]) -> Report:
    """Run a proof and return its report."""
    return Proof(sources, patience, progress).run()
