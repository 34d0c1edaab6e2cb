"""A batch taken by columns is the batch that the reference takes, record by record, whatever the log holds."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenograph.errors import StenographError
from stenograph.history import HistoryBatch, plain_rows
from stenograph.offsets import Mark, Partition
from stenograph.ports import LoggedBatch, SchemaRegistry
from stenograph.schemas import Column, ColumnType, Kind, TablePlan, TableShape
from stenograph.sink import Flush, Readers
from stenograph.sink.by_record import take_by_record
from stenograph.sink.columnar import take_by_columns
from stenograph.sink.taken import Take
from tests.golden_records import GoldenRegistry, logged, records, table_records
from tests.random_logs import SHAPES, RandomLog, plan_of

GOLDEN_TABLES = sorted(
    {topic.rpartition(".")[2] for r in records() if (topic := r["topic"]).startswith("golden.public")}
)
Result = tuple[HistoryBatch, list[TableShape]] | tuple[str, str, dict[str, object]]


def taken(
    take: Take,
    plan: TablePlan,
    registry: SchemaRegistry,
    marks: Mapping[Partition, Mark],
    batches: Sequence[LoggedBatch],
    narrowed: int = 0,
) -> Result:
    flush = Flush(plan, Readers(registry), marks, take)
    try:
        for batch in batches:
            flush.take(batch)
        return flush.finish(shape_of(flush.needs, narrowed)), flush.needs
    except StenographError as error:
        return type(error).__name__, str(error), error.facts


def shape_of(needs: Sequence[TableShape], narrowed: int) -> TableShape:
    """All the columns of the shapes; from some numbers on without one of them, or wider."""
    columns = {column.name: column for shape in needs for column in shape.columns}
    kept = list(columns.values())
    if narrowed % 3 == 1 and len(kept) > 1:
        del kept[narrowed % len(kept)]
    if narrowed % 3 == 2:
        kept = [
            replace(each, type=ColumnType(Kind.INT64)) if each.type.kind is Kind.INT32 else each
            for each in kept
        ]
    kept.append(Column("later", ColumnType(Kind.TEXT)))
    return TableShape(tuple(kept), needs[-1].key if needs else ())


def assert_same(found: Result, wanted: Result) -> None:
    if not isinstance(found[0], HistoryBatch) or not isinstance(wanted[0], HistoryBatch):
        assert found == wanted
        return
    mine, theirs = found[0], wanted[0]
    assert found[1] == wanted[1]
    assert mine.rows.schema == theirs.rows.schema
    for name in theirs.rows.column_names:
        # As text, because a NaN is not itself.
        assert repr(list(plain_rows(mine.rows.select([name])))) == repr(
            list(plain_rows(theirs.rows.select([name])))
        ), name
    mine.rows.validate(full=True)
    assert mine.spans == theirs.spans
    assert mine.lanes == theirs.lanes
    assert mine.quarantined == theirs.quarantined
    assert replace(mine, rows=theirs.rows) == replace(theirs, rows=theirs.rows)


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_a_batch_taken_by_columns_is_the_references(shape: str, seed: int) -> None:
    random_ = random.Random(seed)
    log = RandomLog(random_, shape)
    batches = log.batches()
    marks, plan, narrowed = log.marks(batches), plan_of(random_, shape), random_.randint(0, 20)

    found, wanted = (
        taken(take, plan, log.registry, marks, batches, narrowed)
        for take in (take_by_columns, take_by_record)
    )

    assert_same(found, wanted)


@pytest.mark.parametrize("table", GOLDEN_TABLES)
def test_golden_records_taken_by_columns_are_the_references(table: str) -> None:
    batch = logged(table_records(table))
    ours = replace(
        batch,
        lanes=["golden/stream"] * len(batch),
        orders=[offset.to_bytes(24, "big") for offset in batch.offsets],
    )
    plan = TablePlan(
        "golden", plan_of(random.Random(0), "no key").table, batch.partition.topic, "h", keep_before=True
    )
    marks = {batch.partition: Mark(0, 1)}

    for each in (batch, ours):
        found, wanted = (
            taken(take, plan, GoldenRegistry(), marks, [each]) for take in (take_by_columns, take_by_record)
        )
        assert_same(found, wanted)
