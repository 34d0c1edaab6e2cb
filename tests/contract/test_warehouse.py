"""The contract of `Warehouse`, against every adapter that can start."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from stenograph.envelope.casts import lossless
from stenograph.errors import LedgerMoved, SchemaConflict, WarehouseRefused, WarehouseUnavailable
from stenograph.history import Gap, HistoryBatch, arrow_schema, arrow_type
from stenograph.offsets import LaneMark, Mark, Partition, Span
from stenograph.ports import Planned, Warehouse
from stenograph.schemas import Column, ColumnType, Kind, SchemaChange, TableShape
from tests.history_adapters import ADAPTERS, Adapter
from tests.history_batches import (
    GENERATION,
    LANE,
    LEAD,
    TABLE,
    TOPIC,
    Stretch,
    assigned,
    batch,
    change,
    history_rows,
    order,
    partition,
    quarantined,
    stretch,
)


@pytest.fixture(params=list(ADAPTERS))
def adapter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Adapter]:
    made = ADAPTERS[str(request.param)](tmp_path)
    yield made
    made.close()


@pytest.fixture
def warehouse(adapter: Adapter) -> Warehouse:
    return adapter.warehouse()


def ids(adapter: Adapter, place: Partition | None = None) -> list[int]:
    rows = adapter.reader.rows(TABLE, place or partition(), GENERATION, 0, 1 << 60)
    return cast(list[int], rows.column("id").to_pylist())


def spans(adapter: Adapter) -> list[tuple[Partition, int, int]]:
    return [(one.span.partition, one.span.start, one.span.stop) for one in adapter.reader.spans()]


def at_once(work: Callable[[str], None], names: Sequence[str]) -> None:
    with ThreadPoolExecutor(len(names)) as pool:
        for future in [pool.submit(work, name) for name in names]:
            future.result(60)


def ready(warehouse: Warehouse, *numbers: int) -> dict[Partition, Stretch]:
    """The table exists, the partitions are claimed: for each the stretch of its next two offsets."""
    warehouse.evolve(change())
    marks = warehouse.claim("w", assigned(*numbers))
    return {place: stretch(mark, 2, place) for place, mark in marks.items()}


def test_the_first_claim_starts_at_offset_0_with_fence_1_and_no_lanes(warehouse: Warehouse) -> None:
    marks = warehouse.claim("w", assigned(0, 1))
    assert {place: (mark.next_offset, mark.fence, dict(mark.lanes)) for place, mark in marks.items()} == {
        partition(0): (0, 1, {}),
        partition(1): (0, 1, {}),
    }


def test_every_claim_raises_the_fence_of_its_partitions_only(warehouse: Warehouse) -> None:
    warehouse.claim("w", assigned(0, 1))
    marks = warehouse.claim("w", assigned(1))
    assert {place: mark.fence for place, mark in marks.items()} == {partition(1): 2}
    assert warehouse.claim("w", assigned(0))[partition(0)].fence == 2


def test_claiming_nothing_returns_nothing(warehouse: Warehouse) -> None:
    assert warehouse.claim("w", {}) == {}


def test_the_ledger_names_its_owner(adapter: Adapter, warehouse: Warehouse) -> None:
    warehouse.claim("first", assigned(0))
    warehouse.claim("second", assigned(0))
    entry = adapter.reader.ledger()[partition()]
    assert (entry.owner, entry.fence, entry.generation, entry.next_offset) == ("second", 2, GENERATION, 0)


def test_a_new_generation_starts_at_0_and_keeps_its_lanes(warehouse: Warehouse) -> None:
    here = ready(warehouse)[partition()]
    warehouse.append(batch(here))
    mark = warehouse.claim("w", assigned(0, generation="g2"))[partition()]
    assert (mark.next_offset, mark.fence) == (0, 2)
    assert mark.lanes[LANE].order == order(1)


@pytest.mark.parametrize("number", [0, 3], ids=["a partition seen", "one never seen"])
def test_a_changed_partition_count_is_refused(warehouse: Warehouse, number: int) -> None:
    warehouse.claim("w", assigned(0, count=4))
    with pytest.raises(WarehouseRefused, match="number of partitions"):
        warehouse.claim("w", assigned(number, count=5))
    assert warehouse.claim("w", assigned(0, count=4))[partition()].fence == 2


def test_an_append_stores_rows_spans_and_lanes_and_moves_the_ledger(
    adapter: Adapter, warehouse: Warehouse
) -> None:
    here = ready(warehouse)[partition()]
    warehouse.append(batch(here))
    assert ids(adapter) == [0, 1]
    assert spans(adapter) == [(partition(), 0, 2)]
    assert adapter.reader.ledger()[partition()].next_offset == 2
    mark = warehouse.claim("w", assigned(0))[partition()]
    assert mark.next_offset == 2
    assert mark.lanes == {LANE: LaneMark(order(1), 1_700_000_000_000_000)}


def test_a_stored_span_is_the_span_that_was_given(adapter: Adapter, warehouse: Warehouse) -> None:
    warehouse.evolve(change())
    fence = warehouse.claim("w", assigned(2))[partition(2)].fence
    span = Span(partition(2), GENERATION, 0, 2**62, 10, 0, 4, 3, 3, "ab" * 16)
    given = batch(Stretch(0, 0, fence, partition(2)))
    warehouse.append(HistoryBatch(TABLE, LEAD, given.rows, (span,), {partition(2): fence}, {}))
    stored = adapter.reader.spans()
    assert [(one.table, one.span) for one in stored] == [(TABLE, span)]
    assert abs(stored[0].recorded_at - datetime.now(UTC)) < timedelta(hours=1)


def test_rows_and_span_carry_the_time_of_their_transaction(adapter: Adapter, warehouse: Warehouse) -> None:
    here = ready(warehouse)[partition()]
    warehouse.append(batch(here))
    recorded = (
        adapter.reader.rows(TABLE, partition(), GENERATION, 0, 2).column("_steno_recorded_at").to_pylist()
    )
    assert set(recorded) == {adapter.reader.spans()[0].recorded_at}


def test_a_span_without_rows_moves_the_ledger(adapter: Adapter, warehouse: Warehouse) -> None:
    here = ready(warehouse)[partition()]
    warehouse.append(batch(Stretch(0, 2, here.fence, duplicate=2)))
    warehouse.append(batch(Stretch(2, 2, here.fence)))
    assert ids(adapter) == []
    assert spans(adapter) == [(partition(), 0, 2), (partition(), 2, 2)]
    assert adapter.reader.ledger()[partition()].next_offset == 2


def test_a_batch_of_several_partitions_moves_them_together(adapter: Adapter, warehouse: Warehouse) -> None:
    stretches = ready(warehouse, 0, 1, 2)
    warehouse.append(batch(*stretches.values()))
    assert {place: ids(adapter, place) for place in stretches} == {place: [0, 1] for place in stretches}
    assert {entry.next_offset for entry in adapter.reader.ledger().values()} == {2}


def test_a_partition_out_of_place_stores_nothing_of_the_others(
    adapter: Adapter, warehouse: Warehouse
) -> None:
    """Invariants 5 and 6."""
    stretches = ready(warehouse, 0, 1)
    stale = Stretch(1, 2, stretches[partition(1)].fence, partition(1))
    with pytest.raises(LedgerMoved):
        warehouse.append(
            batch(
                stretches[partition(0)],
                stale,
                gaps=[Gap("crm", None, "0/1", "0/2", "slot lost", None, partition(), 0)],
            )
        )
    assert (ids(adapter), ids(adapter, partition(1)), spans(adapter)) == ([], [], [])
    assert adapter.reader.incidents() == ([], [])
    assert {entry.next_offset for entry in adapter.reader.ledger().values()} == {0}
    assert dict(warehouse.claim("w", assigned(0))[partition()].lanes) == {}


def test_the_same_batch_twice_is_stored_once(adapter: Adapter, warehouse: Warehouse) -> None:
    """Invariant 3."""
    here = ready(warehouse)[partition()]
    warehouse.append(batch(here))
    with pytest.raises(LedgerMoved):
        warehouse.append(batch(here))
    assert ids(adapter) == [0, 1]


def test_a_writer_that_lost_the_fence_stores_nothing(adapter: Adapter, warehouse: Warehouse) -> None:
    """Invariant 6."""
    here = ready(warehouse)[partition()]
    rival = adapter.warehouse()
    mark = rival.claim("rival", assigned(0))[partition()]
    with pytest.raises(LedgerMoved) as refusal:
        warehouse.append(batch(here, status="zombie"))
    assert str(partition()) in str(refusal.value)
    rival.append(batch(stretch(mark, 3), status="rival"))
    with pytest.raises(LedgerMoved):
        warehouse.append(batch(Stretch(3, 5, here.fence), status="zombie"))
    assert ids(adapter) == [0, 1, 2]


def test_a_partition_never_claimed_cannot_be_appended_to(adapter: Adapter, warehouse: Warehouse) -> None:
    ready(warehouse)
    with pytest.raises(LedgerMoved):
        warehouse.append(batch(Stretch(0, 2, 1, partition(3))))
    assert spans(adapter) == []


def test_another_generation_than_the_claimed_one_stores_nothing(
    adapter: Adapter, warehouse: Warehouse
) -> None:
    here = ready(warehouse)[partition()]
    with pytest.raises(LedgerMoved):
        warehouse.append(batch(Stretch(0, 2, here.fence, generation="g0")))
    assert spans(adapter) == []


def test_two_writers_on_one_ledger_store_each_offset_once(adapter: Adapter) -> None:
    """Invariants 3 and 6: both write at once, and each claims again after it has lost."""
    adapter.warehouse().evolve(change())
    goal = 60

    def work(name: str) -> None:
        warehouse = adapter.warehouse()
        mark = warehouse.claim(name, assigned(0))[partition()]
        while mark.next_offset < goal:
            try:
                warehouse.append(batch(stretch(mark, 2), status=name))
                mark = Mark(mark.next_offset + 2, mark.fence)
            except (LedgerMoved, WarehouseUnavailable):
                mark = warehouse.claim(name, assigned(0))[partition()]

    at_once(work, ["a", "b"])
    next_offset = adapter.reader.ledger()[partition()].next_offset
    assert ids(adapter) == list(range(next_offset))
    stops = [stop for _, _, stop in spans(adapter)]
    assert [start for _, start, _ in spans(adapter)] == [0, *stops[:-1]]


def test_lanes_of_a_partition_are_kept_apart(warehouse: Warehouse) -> None:
    here = ready(warehouse)[partition()]
    far = LaneMark(b"\xff" * 24, -62_135_596_800_000_000)
    warehouse.append(batch(here, lanes={(partition(), "crm/0"): far, (partition(), "ü'\"\x00"): far}))
    warehouse.append(batch(Stretch(2, 3, here.fence), lanes={(partition(), "crm/0"): LaneMark(order(9), 7)}))
    assert warehouse.claim("w", assigned(0))[partition()].lanes == {
        "crm/0": LaneMark(order(9), 7),
        "ü'\"\x00": far,
    }


@pytest.mark.parametrize("raw", [b"", b"\x00", b"\xff\xfe\x00\x80", bytes(range(256)), None])
def test_quarantined_bytes_are_kept_as_they_are(
    adapter: Adapter, warehouse: Warehouse, raw: bytes | None
) -> None:
    here = ready(warehouse)[partition()]
    aside = quarantined(1, raw, raw, raw or b"")
    warehouse.append(batch(here, rows=history_rows([{"id": 0}], [0]), quarantined=[aside]))
    answer = adapter.console.query("SELECT key, value, headers, state FROM _steno_quarantine")
    assert answer.rows.to_pylist() == [{"key": raw, "value": raw, "headers": raw or b"", "state": "open"}]
    found, _ = adapter.reader.incidents()
    assert [(one.table, one.partition, one.offset, one.error, one.reason, one.state) for one in found] == [
        (TABLE, partition(), 1, "RecordUnreadable", "The magic byte is wrong.", "open")
    ]


def test_gaps_travel_with_the_batch(adapter: Adapter, warehouse: Warehouse) -> None:
    here = ready(warehouse)[partition()]
    gaps = [
        Gap("crm", None, "0/16B3748", "0/16B3790", "The slot was dropped.", None, partition(), 0),
        Gap("crm", "public.lead", "0/1", "0/2", "Rows were rewritten.", 7, partition(), 1),
    ]
    warehouse.append(batch(here, gaps=gaps))
    _, found = adapter.reader.incidents()
    assert sorted((one.source, one.table or "", one.after, one.before, one.cause) for one in found) == sorted(
        (one.source, one.table or "", one.after, one.before, one.cause) for one in gaps
    )


def test_a_table_that_is_not_there_has_no_shape(warehouse: Warehouse) -> None:
    assert warehouse.shape(TABLE) is None


def test_evolving_twice_changes_nothing(warehouse: Warehouse) -> None:
    warehouse.evolve(change())
    warehouse.evolve(change())
    assert warehouse.shape(TABLE) == LEAD


def test_a_new_column_is_null_in_older_rows(adapter: Adapter, warehouse: Warehouse) -> None:
    here = ready(warehouse)[partition()]
    warehouse.append(batch(here))
    added = Column("score", ColumnType(Kind.DECIMAL, 10, 2))
    wider = TableShape((*LEAD.columns, added), LEAD.key)
    warehouse.evolve(SchemaChange(TABLE, wider, (added,)))
    warehouse.append(
        batch(
            Stretch(2, 3, here.fence),
            shape=wider,
            rows=history_rows([{"id": 2, "score": Decimal("1.50")}], [2], wider),
        )
    )
    assert warehouse.shape(TABLE) == wider
    rows = adapter.reader.rows(TABLE, partition(), GENERATION, 0, 9)
    assert rows.column("score").to_pylist() == [None, None, Decimal("1.50")]
    assert rows.column_names == [*arrow_schema(wider).names, "_steno_recorded_at"]


def test_rows_of_an_older_shape_fit_into_a_wider_table(adapter: Adapter, warehouse: Warehouse) -> None:
    here = ready(warehouse)[partition()]
    wider = TableShape((*LEAD.columns, Column("extra", ColumnType(Kind.TEXT))), LEAD.key)
    warehouse.evolve(change(wider))
    warehouse.append(batch(here))
    assert ids(adapter) == [0, 1]


def widened(of: ColumnType, to: ColumnType) -> SchemaChange:
    wider = Column("score", to, held=(of,))
    return SchemaChange(TABLE, TableShape((*LEAD.columns, wider), ("id",)), (), widens=(wider,))


WIDENINGS = [
    (ColumnType(Kind.INT16), ColumnType(Kind.INT32), 7, 7),
    (ColumnType(Kind.INT32), ColumnType(Kind.INT64), -(2**31), -(2**31)),
    (ColumnType(Kind.INT64), ColumnType(Kind.DECIMAL, 38, 2), 2**63 - 1, Decimal("9223372036854775807.00")),
    (ColumnType(Kind.INT32), ColumnType(Kind.FLOAT64), 2**31 - 1, float(2**31 - 1)),
    (ColumnType(Kind.INT64), ColumnType(Kind.TEXT), -5, "-5"),
    (ColumnType(Kind.INT64), ColumnType(Kind.NUMBER_TEXT), 5, "5"),
    (ColumnType(Kind.DECIMAL, 4, 2), ColumnType(Kind.DECIMAL, 8, 4), Decimal("1.50"), Decimal("1.5000")),
    (ColumnType(Kind.DECIMAL, 20, 9), ColumnType(Kind.NUMBER_TEXT), Decimal("0.000000001"), "0.000000001"),
    (ColumnType(Kind.FLOAT32), ColumnType(Kind.FLOAT64), 0.5, 0.5),
    (ColumnType(Kind.BOOLEAN), ColumnType(Kind.TEXT), True, "true"),
    (ColumnType(Kind.JSON), ColumnType(Kind.TEXT), '{"a": 1}', '{"a": 1}'),
    (
        ColumnType(Kind.LIST, element=ColumnType(Kind.INT32)),
        ColumnType(Kind.LIST, element=ColumnType(Kind.INT64)),
        [1, None],
        [1, None],
    ),
]


@pytest.mark.parametrize(("of", "to", "value", "kept"), WIDENINGS, ids=lambda one: str(one)[:20])
def test_a_column_is_widened_with_its_values(
    adapter: Adapter, warehouse: Warehouse, of: ColumnType, to: ColumnType, value: object, kept: object
) -> None:
    """What the warehouse makes of an older value is what the cast makes of a newer one."""
    narrow = TableShape((*LEAD.columns, Column("score", of)), ("id",))
    warehouse.evolve(change(narrow))
    fence = warehouse.claim("w", assigned(0))[partition()].fence
    rows = history_rows([{"id": 0, "score": value}, {"id": 1}], [0, 1], narrow)
    warehouse.append(batch(Stretch(0, 2, fence), shape=narrow, rows=rows))

    warehouse.evolve(widened(of, to))
    warehouse.evolve(widened(of, to))

    shape = warehouse.shape(TABLE)
    assert shape == widened(of, to).shape
    assert shape is not None
    assert [column.held for column in shape.columns] == [(), (), (of,)]
    found = adapter.reader.rows(TABLE, partition(), GENERATION, 0, 9).column("score")
    assert found.to_pylist() == [kept, None]
    cast_ = lossless(of, to)
    assert cast_ is not None
    assert cast_.value(value) == kept


def test_writers_that_widen_at_once_do_no_harm(adapter: Adapter, warehouse: Warehouse) -> None:
    small, big, exact = ColumnType(Kind.INT32), ColumnType(Kind.INT64), ColumnType(Kind.DECIMAL, 22, 2)
    warehouse.evolve(change(TableShape((*LEAD.columns, Column("score", small)), ("id",))))
    barrier = threading.Barrier(3)

    def work(_: str) -> None:
        writer = adapter.warehouse()
        barrier.wait(30)
        for to in (big, exact):
            writer.evolve(widened(small, to))

    at_once(work, ["one", "two", "three"])
    shape = adapter.warehouse().shape(TABLE)
    assert shape is not None
    assert shape.columns[-1] == Column("score", exact)


def test_a_narrower_column_does_not_make_a_wider_one_narrow(warehouse: Warehouse) -> None:
    big = TableShape((*LEAD.columns, Column("score", ColumnType(Kind.INT64))), ("id",))
    warehouse.evolve(change(big))
    warehouse.evolve(change(TableShape((*LEAD.columns, Column("score", ColumnType(Kind.INT32))), ("id",))))
    assert warehouse.shape(TABLE) == big


def test_a_column_is_not_widened_unless_the_change_says_so(warehouse: Warehouse) -> None:
    warehouse.evolve(change(TableShape((Column("id", ColumnType(Kind.INT32)),), ("id",))))
    with pytest.raises(SchemaConflict):
        warehouse.evolve(change(TableShape((Column("id", ColumnType(Kind.INT64)),), ("id",))))


def test_what_is_planned_is_what_is_missing(warehouse: Warehouse) -> None:
    first = warehouse.planned(change())
    assert first.table
    assert first.views
    warehouse.evolve(change())
    assert warehouse.planned(change()) == Planned()
    added = Column("score", ColumnType(Kind.INT32))
    wider = SchemaChange(TABLE, TableShape((*LEAD.columns, added), ("id",)), (added,))
    assert len(warehouse.planned(wider).table) == 1
    assert warehouse.shape(TABLE) == LEAD
    keyless = warehouse.planned(change(TableShape(LEAD.columns, ())))
    assert (keyless.table, len(keyless.views)) == ((), 1)


def test_a_plan_for_a_history_that_is_not_there_makes_none(adapter: Adapter) -> None:
    plan = adapter.plan
    assert plan.shape(TABLE) is None
    planned = plan.planned(change())
    assert planned.bookkeeping
    assert planned.table
    assert adapter.reader.ledger() == {}
    assert plan.planned(change()) == planned
    adapter.warehouse().evolve(change())
    assert plan.planned(change()) == Planned()
    assert plan.shape(TABLE) == LEAD


def test_a_key_that_changed_is_the_table_s_key(warehouse: Warehouse) -> None:
    warehouse.evolve(change())
    keyless = TableShape(LEAD.columns, ())
    warehouse.evolve(change(keyless))
    assert warehouse.shape(TABLE) == keyless


def test_a_column_of_another_type_is_a_conflict_that_names_both(warehouse: Warehouse) -> None:
    warehouse.evolve(change())
    other = TableShape(
        (LEAD.columns[0], Column("status", ColumnType(Kind.INT64)), Column("x", ColumnType(Kind.TEXT))),
        ("id",),
    )
    with pytest.raises(SchemaConflict) as conflict:
        warehouse.evolve(change(other))
    assert conflict.value.facts["table"] == TABLE
    assert conflict.value.facts["column"] == "status"
    assert {"stored", "wanted"} <= conflict.value.facts.keys()
    assert warehouse.shape(TABLE) == LEAD


@pytest.mark.parametrize("name", ["_steno_order", "_steno_recorded_at"])
def test_a_source_column_may_not_have_one_of_our_names(warehouse: Warehouse, name: str) -> None:
    with pytest.raises(SchemaConflict):
        warehouse.evolve(change(TableShape((Column(name, ColumnType(Kind.TEXT)),), ())))
    assert warehouse.shape(TABLE) is None


def test_concurrent_evolution_does_no_harm(adapter: Adapter) -> None:
    barrier = threading.Barrier(3)

    def work(name: str) -> None:
        warehouse = adapter.warehouse()
        barrier.wait(30)
        for index in range(5):
            column = Column(f"c{index}", ColumnType(Kind.INT64))
            shape = TableShape((*LEAD.columns, column, Column(name, ColumnType(Kind.TEXT))), ("id",))
            warehouse.evolve(SchemaChange(TABLE, shape, (column,)))

    at_once(work, ["own0", "own1", "own2"])
    shape = adapter.warehouse().shape(TABLE)
    assert shape is not None
    names = {column.name for column in shape.columns}
    assert names == {
        "id",
        "status",
        *(f"c{index}" for index in range(5)),
        *(f"own{number}" for number in range(3)),
    }


def test_a_table_may_have_300_columns(adapter: Adapter, warehouse: Warehouse) -> None:
    wide = TableShape(tuple(Column(f"c{index}", ColumnType(Kind.INT32)) for index in range(300)), ("c0",))
    warehouse.evolve(change(wide))
    mark = warehouse.claim("w", assigned(0))[partition()]
    values = [{f"c{index}": index for index in range(300)}]
    warehouse.append(batch(stretch(mark, 1), shape=wide, rows=history_rows(values, [0], wide)))
    row = adapter.reader.rows(TABLE, partition(), GENERATION, 0, 1).to_pylist()[0]
    assert [row[f"c{index}"] for index in range(300)] == list(range(300))


ODD_NAMES = [
    "select",
    "Order",
    "start",
    'a"b',
    "ü ß",
    "日本",
    "a.b",
    "x'y",
    "{table}",
    "$1",
    "?",
    "a\\b",
    "1",
    "a\nb",
    "row",
    "É",
    "é",
]


def test_columns_may_have_any_name(adapter: Adapter, warehouse: Warehouse) -> None:
    odd = TableShape(tuple(Column(name, ColumnType(Kind.TEXT)) for name in ODD_NAMES), (ODD_NAMES[0],))
    warehouse.evolve(change(odd))
    mark = warehouse.claim("w", assigned(0))[partition()]
    values = [{name: name for name in ODD_NAMES}]
    warehouse.append(batch(stretch(mark, 1), shape=odd, rows=history_rows(values, [0], odd)))
    assert warehouse.shape(TABLE) == odd
    row = adapter.reader.rows(TABLE, partition(), GENERATION, 0, 1).to_pylist()[0]
    assert [row[name] for name in ODD_NAMES] == ODD_NAMES


@pytest.mark.parametrize("table", ["Order_history", 'a"b_history', "ü 日本_history", "x.y_history"])
def test_tables_may_have_any_name(adapter: Adapter, warehouse: Warehouse, table: str) -> None:
    warehouse.evolve(change(table=table))
    mark = warehouse.claim("w", assigned(0))[partition()]
    warehouse.append(batch(stretch(mark, 2), table=table))
    assert adapter.reader.rows(table, partition(), GENERATION, 0, 9).num_rows == 2
    assert adapter.console.shapes() == {table: LEAD}


BIG = 2**63 - 1
EDGES: list[tuple[ColumnType, list[object]]] = [
    (ColumnType(Kind.BOOLEAN), [True, False]),
    (ColumnType(Kind.INT16), [-(2**15), 2**15 - 1]),
    (ColumnType(Kind.INT32), [-(2**31), 2**31 - 1]),
    (ColumnType(Kind.INT64), [-(2**63), BIG]),
    (ColumnType(Kind.FLOAT32), [0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1.5]),
    (ColumnType(Kind.FLOAT64), [0.0, -0.0, float("inf"), float("nan"), 5e-324, 1.7976931348623157e308]),
    (ColumnType(Kind.DECIMAL, 38, 10), [Decimal("9" * 28 + "." + "9" * 10), Decimal("-0.0000000001")]),
    (ColumnType(Kind.DECIMAL, 38, 38), [Decimal("0." + "9" * 38)]),
    (ColumnType(Kind.DECIMAL, 4, 0), [Decimal(-9999)]),
    (ColumnType(Kind.NUMBER_TEXT), ["1" + "0" * 400, "NaN", "-0.000"]),
    (ColumnType(Kind.TEXT), ["", "a\x00b", "日本 🎉", "'\"\\", "x" * 100_000]),
    (ColumnType(Kind.UUID), ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]),
    (ColumnType(Kind.JSON), ["null", '{"a": [1, 2.50, null]}', '"ü"', "1e400"]),
    (ColumnType(Kind.BYTES), [b"", b"\x00\xff", bytes(range(256))]),
    (ColumnType(Kind.DATE), [-719162, 2932896, 0, -(2**31) + 2, 2**31 - 1]),
    (ColumnType(Kind.TIMESTAMP), [-62_135_596_800_000_000, 253_402_300_799_999_999, 0, BIG, -BIG]),
    (ColumnType(Kind.TIMESTAMPTZ), [-62_135_596_800_000_000, 253_402_300_799_999_999, 0, BIG, -BIG]),
    (ColumnType(Kind.TIME), [0, 86_399_999_999, 86_400_000_000]),
    (ColumnType(Kind.DURATION), [0, -1, 10**17, -(10**17), 86_400_000_000]),
    (ColumnType(Kind.LIST, element=ColumnType(Kind.INT32)), [[], [1, None, 3]]),
    (ColumnType(Kind.LIST, element=ColumnType(Kind.NUMBER_TEXT)), [["1e400", None]]),
    (ColumnType(Kind.LIST, element=ColumnType(Kind.UUID)), [["ffffffff-ffff-ffff-ffff-ffffffffffff", None]]),
    (ColumnType(Kind.LIST, element=ColumnType(Kind.JSON)), [['{"a":1}']]),
    (ColumnType(Kind.LIST, element=ColumnType(Kind.DURATION)), [[1, None, -(10**17)], []]),
    (
        ColumnType(Kind.LIST, element=ColumnType(Kind.LIST, element=ColumnType(Kind.TEXT))),
        [[["a", None], [], None]],
    ),
    (ColumnType(Kind.LIST, element=ColumnType(Kind.DECIMAL, 9, 3)), [[Decimal("1.234")]]),
]


@pytest.mark.parametrize(("column_type", "edges"), EDGES, ids=[str(column_type) for column_type, _ in EDGES])
def test_every_type_keeps_its_values(
    adapter: Adapter, warehouse: Warehouse, column_type: ColumnType, edges: list[object]
) -> None:
    shape = TableShape((Column("v", column_type),), ())
    warehouse.evolve(change(shape))
    assert warehouse.shape(TABLE) == shape
    given: pa.Array[Any] = pa.array([*edges, None], arrow_type(column_type))
    rows = history_rows([{}] * len(given), range(len(given)), shape)
    rows = rows.set_column(0, "v", given)
    mark = warehouse.claim("w", assigned(0))[partition()]
    warehouse.append(batch(stretch(mark, len(given)), shape=shape, rows=rows))
    stored = adapter.reader.rows(TABLE, partition(), GENERATION, 0, 99).column("v").combine_chunks()
    assert stored.type == given.type
    if column_type.kind in {Kind.FLOAT32, Kind.FLOAT64}:
        assert repr(stored.to_pylist()) == repr(given.to_pylist())
    else:
        assert stored.equals(given)


def test_our_own_columns_keep_their_values(adapter: Adapter, warehouse: Warehouse) -> None:
    here = ready(warehouse)[partition()]
    own = {
        "id": 0,
        "_steno_op": "update",
        "_steno_changed_after": datetime(1, 1, 1, tzinfo=UTC),
        "_steno_related_key": '{"id": 7}',
        "_steno_transaction": "571",
        "_steno_model_version": 2,
        "_steno_notes": '{"amount": "rounded"}',
        "_steno_unchanged": ["status", "ü"],
        "_steno_extra": '{"later": null}',
        "_steno_before": '{"id": 0}',
    }
    rows = history_rows([own], [0])
    warehouse.append(batch(Stretch(0, 1, here.fence), rows=rows))
    stored = adapter.reader.rows(TABLE, partition(), GENERATION, 0, 9)
    assert stored.drop_columns(["_steno_recorded_at"]).equals(rows)


def test_a_closed_warehouse_opens_again_by_itself(adapter: Adapter, warehouse: Warehouse) -> None:
    here = ready(warehouse)[partition()]
    warehouse.close()
    warehouse.close()
    warehouse.append(batch(here))
    warehouse.close()
    assert ids(adapter) == [0, 1]


def test_a_failed_append_leaves_the_warehouse_usable(adapter: Adapter, warehouse: Warehouse) -> None:
    here = ready(warehouse)[partition()]
    with pytest.raises(WarehouseRefused):
        warehouse.append(batch(here, table="nothing_history"))
    warehouse.append(batch(here))
    assert ids(adapter) == [0, 1]
    assert len(spans(adapter)) == 1


def test_topics_do_not_mix(adapter: Adapter, warehouse: Warehouse) -> None:
    other = partition(topic=f"{TOPIC}s")
    here = ready(warehouse)[partition()]
    there = warehouse.claim("w", {other: assigned()[partition()]})[other]
    warehouse.append(batch(here, stretch(there, 3, other)))
    assert (ids(adapter), ids(adapter, other)) == ([0, 1], [0, 1, 2])
