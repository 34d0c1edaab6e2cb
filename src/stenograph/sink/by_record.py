"""Takes a batch record by record: the reference, which finds the one bad record.

`sink.columnar` does the same for whole columns and comes here with whatever it is not sure of. Invariant 9: every
record read is stored, a duplicate, filtered, or quarantined.
"""

from __future__ import annotations

from stenograph.errors import RecordUnreadable, ValueOutOfRange
from stenograph.ports import LoggedBatch
from stenograph.schemas import TablePlan
from stenograph.sink.lanes import Lanes
from stenograph.sink.quarantine import set_aside
from stenograph.sink.readers import Readers
from stenograph.sink.record import HistoryRow, history_row, read_record
from stenograph.sink.taken import RowsByRecord, Taken


def take_by_record(readers: Readers, plan: TablePlan, lanes: Lanes, batch: LoggedBatch) -> Taken:
    """See `Take`."""
    rows: list[HistoryRow] = []
    taken = Taken(batch, RowsByRecord(rows))
    for index, value in enumerate(batch.values):
        if value is None:
            # A tombstone only lets a compacted topic forget; history forgets nothing.
            taken.counts["filtered"] += 1
            continue
        try:
            row = _row(readers, plan, lanes, batch, index, value)
        except (RecordUnreadable, ValueOutOfRange) as fault:
            taken.quarantined.append(set_aside(batch, index, fault))
            taken.counts["quarantined"] += 1
            continue
        if row is None:
            taken.counts["duplicate"] += 1
            continue
        taken.counts["stored"] += 1
        if row.shape not in taken.needs:
            taken.needs.append(row.shape)
        taken.key.update(row.shape.key)
        rows.append(row)
    return taken


def _row(
    readers: Readers, plan: TablePlan, lanes: Lanes, batch: LoggedBatch, index: int, value: bytes
) -> HistoryRow | None:
    """The record's row; None for one that its lane has passed."""
    record = read_record(readers, batch, index, value)
    if not lanes.passes(
        batch.partition, record.place, record.event.origin.committed_at, batch.offsets[index]
    ):
        return None
    return history_row(readers, plan, batch, record)
