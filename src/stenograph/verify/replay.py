"""Reads the log again, with the reference codec, and compares each span with the rows that it stored.

Where the log no longer holds a span, its rows are counted and held against the span's digest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, groupby

import pyarrow as pa
import pyarrow.compute as pc

from stenograph.errors import LaneRegressed, SchemaConflict
from stenograph.history import HistoryBatch, plain_rows, span_digest
from stenograph.offsets import LaneMark, Mark, Partition
from stenograph.ports import ChangeLogAudit, Extent, HistoryReader, LoggedBatch, SetAside, StoredSpan
from stenograph.schemas import TablePlan, TableShape
from stenograph.sink import Flush, Readers
from stenograph.verify.compare import OFFSET, compare_by_offset
from stenograph.verify.pasts import as_they_were, in_todays_shape, pasts, without
from stenograph.verify.report import Report

CHECK = "log"
_CHUNK = 20_000
Lanes = dict[Partition, dict[str, LaneMark]]


class Replay:
    """One pass over all spans. `shapes` are the history tables' shapes as the warehouse has them.

    `recorded` are, by history table, the shapes that it ever had, oldest first: a span's rows are in the shape of
    their time, and its digest is of the key of that time.
    """

    def __init__(
        self,
        plans: Mapping[str, TablePlan],
        shapes: Mapping[str, TableShape],
        log: ChangeLogAudit,
        history: HistoryReader,
        readers: Readers,
        aside: Sequence[SetAside],
        recorded: Mapping[str, Sequence[TableShape]],
        report: Report,
    ) -> None:
        self._plans = plans
        self._shapes = shapes
        self._log = log
        self._history = history
        self._readers = readers
        self._report = report
        self._recorded = recorded
        # What the warehouse has refused is nothing that the record's bytes could tell.
        self._aside = {(record.partition, record.generation, record.offset) for record in aside}
        self._lanes: Lanes = defaultdict(dict)

    def check(self, spans: Sequence[StoredSpan]) -> None:
        """Check every span of a table of the pipeline; spans of gaps hold no rows."""
        extents = self._log.extents()
        for chunk in _chunks(spans):
            first, last = chunk[0], chunk[-1]
            plan = self._plans.get(first.span.partition.topic)
            shape = self._shapes.get(first.table)
            if plan is None:
                continue
            if shape is None:
                self._note_lost_table(chunk)
                continue
            partition, generation = first.span.partition, first.span.generation
            rows = self._history.rows(
                first.table, partition, generation, first.span.start, last.span.stop
            ).drop_columns(["_steno_recorded_at"])
            extent = extents.get(partition)
            for stored in chunk:
                mine = _between(rows, stored.span.start, stored.span.stop)
                self._report.counts["rows"] += mine.num_rows
                if not _held(extent, stored) or not self._against_log(plan, shape, stored, mine):
                    self._against_digest(shape, stored, mine)

    def _note_lost_table(self, chunk: Sequence[StoredSpan]) -> None:
        for stored in chunk:
            if stored.span.stored:
                self._note(stored, f"stored {stored.span.stored} rows, and history has no such table")

    def _against_log(self, plan: TablePlan, shape: TableShape, stored: StoredSpan, actual: pa.Table) -> bool:
        """Compare the span with its records; false if retention has removed them meanwhile."""
        batch = self._records(stored)
        if batch is None:
            return False
        self._compare(plan, shape, stored, batch, actual)
        return True

    def _compare(
        self, plan: TablePlan, shape: TableShape, stored: StoredSpan, batch: LoggedBatch, actual: pa.Table
    ) -> None:
        span = stored.span
        if len(batch) != span.read:
            self._note(stored, f"read {span.read} records, of which the log holds {len(batch)}")
            return
        mark = Mark(span.start, 0, dict(self._lanes[span.partition]))
        try:
            expected = self._made(plan, shape, mark, batch)
        except (LaneRegressed, SchemaConflict) as conflict:
            self._report.leaves(CHECK, stored.table, _place(stored), str(conflict))
            return
        self._report.counts["log_records"] += len(batch)
        if self._was_refused(stored) and not expected.quarantined:
            # The sink has forgotten what it had taken before, its lanes too.
            nothing = expected.rows.slice(0, 0)
            for offset, wrong in compare_by_offset(nothing, actual.select(nothing.column_names)):
                self._report.differs(CHECK, stored.table, f"{span.partition}@{offset}", wrong)
            return
        for (partition, lane), at in expected.lanes.items():
            self._lanes[partition][lane] = at
        wrong_places = _wrong_places(stored, expected, actual)
        if wrong_places and not self._was_made_before(plan, shape, mark, stored, batch, actual):
            for place, message in wrong_places:
                self._report.differs(CHECK, stored.table, place, message)

    def _made(self, plan: TablePlan, shape: TableShape, mark: Mark, batch: LoggedBatch) -> HistoryBatch:
        flush = Flush(plan, self._readers, {batch.partition: mark})
        flush.take(batch)
        return flush.finish(shape)

    def _was_made_before(
        self,
        plan: TablePlan,
        shape: TableShape,
        mark: Mark,
        stored: StoredSpan,
        batch: LoggedBatch,
        actual: pa.Table,
    ) -> bool:
        """Whether the span is what the log gives in a shape that the table had, or by an earlier plan.

        A record in quarantine may be there by a value policy of its time: the others are tried without it.
        """
        aside = [
            offset for offset in batch.offsets if (batch.partition, batch.generation, offset) in self._aside
        ]
        pieces = [(batch, 0)] + ([(without(batch, aside), len(aside))] if aside else [])
        for piece, count in pieces:
            for then, made in pasts(plan, shape, self._recorded.get(stored.table, ())):
                try:
                    expected = self._made(then, made, mark, piece)
                except SchemaConflict:
                    continue
                (span,) = expected.spans
                span = replace(span, read=span.read + count, quarantined=span.quarantined + count)
                rows = in_todays_shape(expected.rows, made, shape)
                if not _wrong_places(stored, replace(expected, rows=rows, spans=(span,)), actual):
                    return True
        return False

    def _against_digest(self, shape: TableShape, stored: StoredSpan, actual: pa.Table) -> None:
        recorded = self._recorded.get(stored.table, ())
        keys = list(_keys_at_once({shape.key, *(each.key for each in recorded)}))
        digests = (span_digest(rows, key) for rows in as_they_were(actual, recorded) for key in keys)
        if actual.num_rows != stored.span.stored:
            self._note(stored, f"stored {stored.span.stored} rows, of which history holds {actual.num_rows}")
        elif stored.span.digest not in digests:
            self._note(stored, "the keys or places of its rows are not those that were stored")
        self._report.counts["rows_beyond_the_log"] += actual.num_rows
        self._move_lanes(stored.span.partition, actual)

    def _move_lanes(self, partition: Partition, rows: pa.Table) -> None:
        """Move the lanes over rows whose records are gone: one that was sent again may still be there."""
        lanes = self._lanes[partition]
        places = rows.select(["_steno_lane", "_steno_order", "_steno_committed_at"])
        for lane, order, committed_at in plain_rows(places):
            at = LaneMark(bytes.fromhex(str(order)), int(str(committed_at)))
            known = lanes.setdefault(str(lane), at)
            lanes[str(lane)] = LaneMark(max(at.order, known.order), max(at.committed_at, known.committed_at))

    def _was_refused(self, stored: StoredSpan) -> bool:
        span = stored.span
        return (
            span.read == span.quarantined == 1
            and (span.partition, span.generation, span.stop - 1) in self._aside
        )

    def _records(self, stored: StoredSpan) -> LoggedBatch | None:
        """The span's records; None if the log has forgotten some of them since."""
        span = stored.span
        held = self._log.records(span.partition, span.start, max(span.stop - span.start, 1))
        return None if held.start > span.start else held.between(span.start, span.stop)

    def _note(self, stored: StoredSpan, message: str) -> None:
        self._report.differs(CHECK, stored.table, _place(stored), message)


def _chunks(spans: Sequence[StoredSpan]) -> Iterator[list[StoredSpan]]:
    """Neighbouring spans of one partition and table, together at most about 20,000 offsets."""
    for _, group in groupby(spans, key=lambda s: (s.span.partition, s.span.generation, s.table)):
        chunk: list[StoredSpan] = []
        for stored in group:
            if chunk and stored.span.stop - chunk[0].span.start > _CHUNK:
                yield chunk
                chunk = []
            chunk.append(stored)
        yield chunk


def _between(rows: pa.Table, start: int, stop: int) -> pa.Table:
    offsets = rows.column(OFFSET)
    first, end = pa.scalar(start, pa.int64()), pa.scalar(stop, pa.int64())
    return rows.filter(pc.and_(pc.greater_equal(offsets, first), pc.less(offsets, end)))


def _held(extent: Extent | None, stored: StoredSpan) -> bool:
    return (
        extent is not None
        and extent.generation == stored.span.generation
        and extent.first <= stored.span.start
    )


def _keys_at_once(keys: Collection[tuple[str, ...]]) -> Iterator[frozenset[str]]:
    """What may have been the key's columns in one span: a key, none, or one key and then another."""
    wide = {frozenset(key) for key in keys}
    yield frozenset()
    yield from wide
    for one, other in combinations(wide, 2):
        yield one | other


def _wrong_places(stored: StoredSpan, expected: HistoryBatch, actual: pa.Table) -> list[tuple[str, str]]:
    """Where the span differs from what was expected, and how."""
    span = stored.span
    compared = compare_by_offset(expected.rows, actual.select(expected.rows.column_names))
    wrong = [(f"{span.partition}@{offset}", message) for offset, message in compared]
    found = expected.spans[0]
    if found != span:
        said, given = _counts(stored), _counts(replace(stored, span=found))
        if said != given:
            wrong.append((_place(stored), f"the span says {said}, the log gives {given}"))
        elif found.digest != span.digest:
            wrong.append((_place(stored), "the span's digest is not the one the log gives"))
    return wrong


def _place(stored: StoredSpan) -> str:
    span = stored.span
    return f"{span.partition} [{span.start}, {span.stop})"


def _counts(stored: StoredSpan) -> str:
    span = stored.span
    return (
        f"{span.stored} stored, {span.duplicate} duplicate, {span.filtered} filtered, "
        f"{span.quarantined} quarantined"
    )
