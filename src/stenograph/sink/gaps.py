"""The message topic's records as a batch: gaps to be kept, everything else filtered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from stenograph.envelope.gap import ReadGap, read_gap
from stenograph.errors import RecordUnreadable
from stenograph.history import Gap, HistoryBatch, Quarantined, arrow_schema
from stenograph.offsets import LaneMark, Mark, Partition, Span
from stenograph.ports import LoggedBatch
from stenograph.schemas import TableShape
from stenograph.sink.account import span_of
from stenograph.sink.quarantine import set_aside
from stenograph.sink.readers import Readers

TABLE = "_steno_gaps"
_NO_COLUMNS = TableShape((), ())
_NO_ROWS = arrow_schema(_NO_COLUMNS).empty_table()


def gap_batch(
    batches: Sequence[LoggedBatch], readers: Readers, marks: Mapping[Partition, Mark]
) -> HistoryBatch:
    """One batch without rows. A gap at or below its lane's mark was reported before."""
    taking = _Taking(readers, marks)
    spans = tuple(taking.take(batch) for batch in batches)
    return HistoryBatch(
        table=TABLE,
        shape=_NO_COLUMNS,
        rows=_NO_ROWS,
        spans=spans,
        fences={batch.partition: marks[batch.partition].fence for batch in batches},
        lanes=taking.lanes,
        quarantined=tuple(taking.quarantined),
        gaps=tuple(taking.gaps),
    )


class _Taking:
    def __init__(self, readers: Readers, marks: Mapping[Partition, Mark]) -> None:
        self._readers = readers
        self._marks = marks
        self.lanes: dict[tuple[Partition, str], LaneMark] = {}
        self.gaps: list[Gap] = []
        self.quarantined: list[Quarantined] = []

    def take(self, batch: LoggedBatch) -> Span:
        counts: Counter[str] = Counter()
        for index, value in enumerate(batch.values):
            try:
                gap = None if value is None else read_gap(self._readers.event(value).decode(value))
            except RecordUnreadable as fault:
                self.quarantined.append(set_aside(batch, index, fault))
                counts["quarantined"] += 1
                continue
            if gap is None:
                counts["filtered"] += 1
            elif self._is_known(batch, index, gap):
                counts["duplicate"] += 1
            else:
                self.gaps.append(_kept(batch, index, gap))
                counts["stored"] += 1
        return span_of([batch], counts, _NO_ROWS, ())

    def _is_known(self, batch: LoggedBatch, index: int, gap: ReadGap) -> bool:
        lane, order = batch.lanes[index], batch.orders[index]
        if lane is None or order is None:
            return False
        place = (batch.partition, lane)
        mark = self.lanes.get(place) or self._marks[batch.partition].lanes.get(lane)
        if mark is not None and order <= mark.order:
            return True
        self.lanes[place] = LaneMark(order, gap.committed_at)
        return False


def _kept(batch: LoggedBatch, index: int, gap: ReadGap) -> Gap:
    return Gap(
        source=gap.source,
        table=gap.table,
        after=gap.after,
        before=gap.before,
        cause=gap.cause,
        repaired_by=gap.repaired_by,
        partition=batch.partition,
        offset=batch.offsets[index],
    )
