"""One flush: every record is stored, a duplicate, filtered or quarantined, and each row says where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stenograph.errors import LaneRegressed
from stenograph.events import ChangeEvent, KeyChange, Missing, Op
from stenograph.history import HistoryBatch, span_digest
from stenograph.offsets import LaneMark, Mark, Partition, order_of
from stenograph.ports import LoggedBatch
from stenograph.registry.folder import FolderRegistry
from stenograph.schemas import TableShape
from stenograph.sink import Flush, Readers
from tests.change_samples import EPOCH, LANE, LEAD, change, encoder_of, lead, plan_of

AT = Partition(LEAD.topic, 1)


@pytest.fixture
def registry(tmp_path: Path) -> FolderRegistry:
    return FolderRegistry(tmp_path)


def logged(registry: FolderRegistry, events: Sequence[ChangeEvent | bytes | None]) -> LoggedBatch:
    """The events at offsets from 10 in steps of 2 (None: a tombstone), at the commit places 1, 2, ..."""
    encoder, count = encoder_of(LEAD, registry), len(events)
    changes = [event if isinstance(event, ChangeEvent) else None for event in events]
    return LoggedBatch(
        partition=AT,
        generation="g",
        start=9,
        stop=10 + 2 * count,
        offsets=[10 + 2 * number for number in range(count)],
        timestamps=[0] * count,
        keys=[None if each is None else encoder.key(each) for each in changes],
        values=[encoder.value(each) if isinstance(each, ChangeEvent) else each for each in events],
        lanes=[LANE] * count,
        orders=[order_of(1, number, number, 0) for number in range(1, count + 1)],
        headers=[() if each is None else encoder.headers(each) for each in changes],
    )


def flushed(
    registry: FolderRegistry,
    *events: ChangeEvent | bytes | None,
    mark: LaneMark | None = None,
    keep_before: bool = False,
) -> HistoryBatch:
    marks = {AT: Mark(9, 3, {} if mark is None else {LANE: mark})}
    flush = Flush(plan_of(LEAD, keep_before=keep_before), Readers(registry), marks)
    flush.take(logged(registry, events))
    return flush.finish(flush.needs[-1] if flush.needs else TableShape((), ()))


def rows(batch: HistoryBatch, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in columns) for row in batch.rows.to_pylist()]


def test_every_record_is_counted_once(registry: FolderRegistry) -> None:
    """Kills Invariant 9."""
    batch = flushed(
        registry,
        change(Op.CREATE, lead(1), 1),
        change(Op.UPDATE, lead(1, "won"), 2),
        None,
        b"garbage",
        change(Op.DELETE, {"id": 1}, 5),
        mark=LaneMark(order_of(1, 1, 1, 0), EPOCH + 1_000_000),
    )

    (span,) = batch.spans
    assert (span.start, span.stop, span.read) == (9, 20, 5)
    assert (span.stored, span.duplicate, span.filtered, span.quarantined) == (2, 1, 1, 1)
    assert rows(batch, "_steno_op", "_steno_log_offset") == [("update", 12), ("delete", 18)]
    assert batch.fences == {AT: 3}
    assert batch.lanes == {(AT, LANE): LaneMark(order_of(1, 5, 5, 0), EPOCH + 5_000_000)}


def test_the_digest_is_over_the_rows_stored(registry: FolderRegistry) -> None:
    batch = flushed(registry, change(Op.CREATE, lead(1), 1), None, change(Op.CREATE, lead(2), 3))

    wanted = pa.table(
        {
            "_steno_log_offset": [10, 14],
            "_steno_order": [order_of(1, 1, 1, 0).hex(), order_of(1, 3, 3, 0).hex()],
            "id": [1, 2],
        }
    )
    assert batch.spans[0].digest == span_digest(wanted, ["id"])


def test_polls_of_one_partition_are_one_span_as_if_polled_at_once(registry: FolderRegistry) -> None:
    events = [change(Op.CREATE, lead(1), 1), None, b"garbage", change(Op.DELETE, {"id": 1}, 4)]
    batch = logged(registry, events)
    flush = Flush(plan_of(LEAD), Readers(registry), {AT: Mark(9, 3, {})})
    for start, stop in ((9, 11), (11, 15), (15, 18)):
        flush.take(batch.between(start, stop))
    cut, whole = flush.finish(flush.needs[0]), flushed(registry, *events)
    assert cut.spans == whole.spans
    assert cut.rows.equals(whole.rows)
    assert (cut.fences, cut.lanes, cut.quarantined) == (whole.fences, whole.lanes, whole.quarantined)


def test_a_change_in_one_flush_twice_is_stored_once(registry: FolderRegistry) -> None:
    flush = Flush(plan_of(LEAD), Readers(registry), {AT: Mark(9, 3)})
    batch = logged(registry, [change(Op.CREATE, lead(1), 1)])
    flush.take(batch)
    flush.take(batch)

    assert [(span.stored, span.duplicate) for span in flush.finish(flush.needs[0]).spans] == [(1, 1)]


def test_a_column_that_was_not_sent_is_named_and_not_null(registry: FolderRegistry) -> None:
    batch = flushed(
        registry, change(Op.UPDATE, lead(1, notes=Missing.UNCHANGED), 1), change(Op.UPDATE, lead(1), 2)
    )

    assert rows(batch, "notes", "_steno_unchanged") == [(None, ["notes"]), (None, None)]


def test_a_delete_holds_its_key_alone_unless_all_of_before_is_real(registry: FolderRegistry) -> None:
    gone = lead(1, "won", score=5)
    batch = flushed(
        registry,
        change(Op.DELETE, gone, 1, before=gone),
        change(Op.DELETE, gone, 2, before=gone, before_is_full=True),
    )

    assert rows(batch, "id", "status", "score") == [(1, None, None), (1, "won", 5)]


def test_a_before_image_is_kept_only_where_it_is_asked_for_and_real(registry: FolderRegistry) -> None:
    events = [
        change(Op.UPDATE, lead(1, "won"), 1, before=lead(1), before_is_full=True),
        change(Op.UPDATE, lead(1, "won"), 2, before=lead(1)),
    ]
    whole = '{"id":1,"status":"new","score":null,"notes":null}'

    assert rows(flushed(registry, *events, keep_before=True), "_steno_before") == [(whole,), (None,)]
    assert rows(flushed(registry, *events), "_steno_before") == [(None,), (None,)]


def test_both_halves_of_a_key_change_name_the_other_key(registry: FolderRegistry) -> None:
    batch = flushed(
        registry,
        change(Op.DELETE, {"id": 1}, 1, key_change=KeyChange.LEFT, related_key={"id": 2}),
        change(Op.CREATE, lead(2), 1, key_change=KeyChange.ARRIVED, related_key={"id": 1}),
    )

    assert rows(batch, "id", "_steno_related_key") == [(1, '{"id":2}'), (2, '{"id":1}')]


def test_a_snapshot_row_can_have_come_to_be_at_any_time_before(registry: FolderRegistry) -> None:
    batch = flushed(registry, change(Op.SNAPSHOT, lead(1), 1), change(Op.CREATE, lead(2), 2))

    after = [row[0] and row[0].year for row in rows(batch, "_steno_changed_after")]
    assert after == [1, None]


def test_a_flush_of_nothing_readable_needs_no_table(registry: FolderRegistry) -> None:
    batch = flushed(registry, None, b"garbage")

    assert batch.rows.num_rows == 0
    assert [record.value for record in batch.quarantined] == [b"garbage"]


def test_a_quarantined_record_keeps_its_bytes_and_says_nothing_of_its_values(
    registry: FolderRegistry,
) -> None:
    event = change(Op.CREATE, lead(1, "a secret"), 1)
    message = encoder_of(LEAD, registry).value(event)

    (kept,) = flushed(registry, message[:-4]).quarantined

    assert (kept.value, kept.offset, kept.lane, kept.error) == (message[:-4], 10, LANE, "RecordUnreadable")
    assert "secret" not in kept.reason


def test_a_source_that_went_back_spoils_the_flush(registry: FolderRegistry) -> None:
    with pytest.raises(LaneRegressed):
        flushed(registry, change(Op.CREATE, lead(1), 1), mark=LaneMark(order_of(1, 9, 9, 0), EPOCH))
