"""What is taken by columns: everything plain that our capturers write, and nothing that is not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenograph.envelope.framing import schema_id_of
from stenograph.envelope.table import WireColumn, WireTable
from stenograph.errors import LaneRegressed, RecordUnreadable
from stenograph.events import ChangeEvent, KeyChange, Missing, Op
from stenograph.offsets import LaneMark, Mark, Partition, order_of
from stenograph.packing import packed
from stenograph.ports import LoggedBatch
from stenograph.registry.folder import FolderRegistry
from stenograph.sink import Flush, Readers
from stenograph.sink.columnar import take_by_columns
from stenograph.sink.columnar.fates import ORDER_TYPE, NotSure, Places, stored
from stenograph.sink.columnar.rows import ColumnarRows
from stenograph.sink.columnar.survey import NO_MESSAGE, UNFRAMED, schema_ids
from stenograph.sink.lanes import Lanes
from stenograph.sink.place import Place
from stenograph.sink.taken import RowsByRecord, Taken
from tests.change_samples import EPOCH, LANE, LEAD, change, encoder_of, lead, plan_of

AT = Partition(LEAD.topic, 0)
JSON = {"type": "string", "connect.version": 1, "connect.name": "io.debezium.data.Json"}
DOCUMENT = WireTable(
    LEAD.prefix, LEAD.table, (*LEAD.columns, WireColumn("document", JSON, nullable=True)), LEAD.key
)


@pytest.fixture
def registry(tmp_path: Path) -> FolderRegistry:
    return FolderRegistry(tmp_path)


def logged(
    registry: FolderRegistry, events: Sequence[ChangeEvent | bytes | None], table: WireTable = LEAD
) -> LoggedBatch:
    encoder, count = encoder_of(table, registry), len(events)
    return LoggedBatch(
        partition=AT,
        generation="g",
        start=0,
        stop=count,
        offsets=range(count),
        timestamps=[0] * count,
        keys=[encoder.key(each) if isinstance(each, ChangeEvent) else None for each in events],
        values=[encoder.value(each) if isinstance(each, ChangeEvent) else each for each in events],
        lanes=[LANE] * count,
        orders=[order_of(1, number, number, 0) for number in range(1, count + 1)],
        headers=[encoder.headers(each) if isinstance(each, ChangeEvent) else () for each in events],
    )


def taken(registry: FolderRegistry, batch: LoggedBatch) -> Taken:
    return take_by_columns(Readers(registry), plan_of(LEAD), Lanes({AT: Mark(0, 1)}), batch)


PLAIN = {
    "a create": change(Op.CREATE, lead(1), 1),
    "an update": change(Op.UPDATE, lead(1, "won"), 1, before=lead(1), before_is_full=True),
    "a column that was not sent": change(Op.UPDATE, lead(1, notes=Missing.UNCHANGED), 1),
    "a delete by its key": change(Op.DELETE, {"id": 1}, 1),
    "a delete of a whole row": change(Op.DELETE, lead(1), 1, before=lead(1), before_is_full=True),
    "a snapshot row": change(Op.SNAPSHOT, lead(1), 1),
    "a key that was left": change(Op.DELETE, {"id": 1}, 1, key_change=KeyChange.LEFT, related_key={"id": 2}),
}


@pytest.mark.parametrize("event", PLAIN.values(), ids=PLAIN)
def test_what_our_capturers_write_is_taken_by_columns(registry: FolderRegistry, event: ChangeEvent) -> None:
    found = taken(registry, logged(registry, [event]))

    assert isinstance(found.rows, ColumnarRows)
    assert found.counts["stored"] == 1


def test_a_document_that_was_not_sent_is_not_read_as_one(registry: FolderRegistry) -> None:
    event = change(Op.UPDATE, {**lead(1), "document": Missing.UNCHANGED}, 1, table=DOCUMENT)

    found = taken(registry, logged(registry, [event], DOCUMENT))

    assert isinstance(found.rows, ColumnarRows)


def test_tombstones_leave_the_others_to_the_columns(registry: FolderRegistry) -> None:
    found = taken(registry, logged(registry, [None, change(Op.CREATE, lead(1), 1), None]))

    assert isinstance(found.rows, ColumnarRows)
    assert dict(found.counts) == {"stored": 1, "filtered": 2, "quarantined": 0, "duplicate": 0}


def test_records_without_our_headers_are_taken_one_by_one(registry: FolderRegistry) -> None:
    batch = logged(registry, [change(Op.CREATE, lead(1), 1)])

    found = taken(registry, replace(batch, lanes=[None], orders=[None]))

    assert isinstance(found.rows, RowsByRecord)


def test_one_damaged_record_among_many_is_found(registry: FolderRegistry) -> None:
    events: list[ChangeEvent | bytes | None] = [change(Op.CREATE, lead(n), n) for n in range(1, 100)]
    batch = logged(registry, [*events[:50], b"garbage", *events[50:]])
    flush = Flush(plan_of(LEAD), Readers(registry), {AT: Mark(0, 1)}, take_by_columns)
    flush.take(batch)
    found = flush.finish(flush.needs[0])

    assert [record.offset for record in found.quarantined] == [50]
    assert found.rows.column("_steno_log_offset").to_pylist() == [n for n in range(100) if n != 50]


def test_a_lane_that_has_regressed_is_refused_with_its_facts(registry: FolderRegistry) -> None:
    mark = LaneMark(order_of(1, 9, 9, 0), EPOCH)
    flush = Flush(plan_of(LEAD), Readers(registry), {AT: Mark(0, 1, {LANE: mark})}, take_by_columns)

    with pytest.raises(LaneRegressed) as refused:
        flush.take(logged(registry, [change(Op.CREATE, lead(1), 1)]))

    assert refused.value.facts["offset"] == 0
    assert refused.value.facts["stored_order"] == mark.order.hex()


def test_schema_ids_are_read_from_any_slice() -> None:
    random_ = random.Random(5)
    messages = [_message(random_) for _ in range(400)]
    array = packed(messages)
    for first, count in ((0, 400), (7, 3), (390, 10), (5, 0), *((n, 1) for n in range(60))):
        wanted = [_id_of(message) for message in messages[first : first + count]]
        assert schema_ids(array.slice(first, count)).tolist() == wanted
        assert schema_ids(packed(messages[first : first + count])).tolist() == wanted


def _message(random_: random.Random) -> bytes | None:
    if random_.random() < 0.1:
        return None
    if random_.random() < 0.3:
        return bytes(random_.choice([0, 0, 1, 255]) for _ in range(random_.randrange(9)))
    return b"\0" + random_.randbytes(4) + random_.randbytes(random_.randrange(12))


def _id_of(message: bytes | None) -> int:
    if message is None:
        return NO_MESSAGE
    try:
        return schema_id_of(message)
    except RecordUnreadable:
        return UNFRAMED


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_lanes_move_as_they_do_record_by_record(seed: int) -> None:
    random_ = random.Random(seed)
    count, names = random_.randint(1, 12), ["a", "b"]
    codes = [random_.randrange(2) for _ in range(count)]
    orders = [order_of(0, 0, random_.randint(0, 300), 0) for _ in range(count)]
    if random_.random() < 0.4:
        orders.sort()
    committed = [random_.randint(0, 3) for _ in range(count)]
    repeats = [random_.random() < 0.9 for _ in range(count)]
    marks = {AT: Mark(0, 1, {"a": LaneMark(order_of(0, 0, 150, 0), 2)} if random_.random() < 0.5 else {})}
    places = Places(
        names,
        np.array(codes, np.int32),
        np.array(orders, ORDER_TYPE),
        np.array(committed, np.int64),
        np.array(repeats, np.bool_),
    )
    lanes, wanted = Lanes(marks), Lanes(marks)

    try:
        fresh = [
            wanted.passes(AT, Place(names[code], order, repeat), at, number)
            for number, (code, order, at, repeat) in enumerate(
                zip(codes, orders, committed, repeats, strict=True)
            )
        ]
    except LaneRegressed:
        with pytest.raises(NotSure):
            stored(places, lanes, AT)
        return
    found, moves = stored(places, lanes, AT)
    for lane, mark in moves.items():
        lanes.move(AT, lane, mark)

    assert found.tolist() == fresh
    assert lanes.moved == wanted.moved


def test_orders_of_another_width_are_left_to_the_reference(registry: FolderRegistry) -> None:
    batch = replace(logged(registry, [change(Op.CREATE, lead(1), 1)]), orders=[b"short"])

    assert isinstance(taken(registry, batch).rows, RowsByRecord)
