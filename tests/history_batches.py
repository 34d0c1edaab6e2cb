"""Builders of history batches, so that a test says only what it is about.

Knows no warehouse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from stenograph.history import Gap, HistoryBatch, Quarantined, arrow_schema
from stenograph.offsets import Assignment, LaneMark, Mark, Partition, Span, order_of
from stenograph.schemas import Column, ColumnType, Kind, SchemaChange, TableShape

TABLE = "lead_history"
TOPIC = "crm.public.lead"
GENERATION = "g1"
LANE = "crm/0"
AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
LEAD = TableShape((Column("id", ColumnType(Kind.INT64)), Column("status", ColumnType(Kind.TEXT))), ("id",))


def partition(number: int = 0, topic: str = TOPIC) -> Partition:
    return Partition(topic, number)


def assigned(*numbers: int, generation: str = GENERATION, count: int = 4) -> dict[Partition, Assignment]:
    return {partition(number): Assignment(generation, count) for number in numbers or (0,)}


def change(shape: TableShape = LEAD, table: str = TABLE, tracked: tuple[str, ...] = ()) -> SchemaChange:
    return SchemaChange(table, shape, shape.columns, tracked)


def order(offset: int) -> bytes:
    return order_of(1, offset, offset, 0)


def history_rows(
    values: Sequence[Mapping[str, object]],
    offsets: Sequence[int],
    shape: TableShape = LEAD,
    place: Partition | None = None,
    generation: str = GENERATION,
) -> pa.Table:
    """Rows with these source values at these offsets; columns that are not named are null."""
    place = place or partition()
    records = [
        {
            "_steno_op": "create",
            "_steno_source": "crm",
            "_steno_committed_at": AT,
            "_steno_changed_at": AT,
            "_steno_observed_at": AT,
            "_steno_lane": LANE,
            "_steno_order": order(offset).hex(),
            "_steno_topic": place.topic,
            "_steno_log_generation": generation,
            "_steno_log_partition": place.number,
            "_steno_log_offset": offset,
            "_steno_schema": "f" * 64,
            "_steno_unchanged": [],
            **row,
        }
        for row, offset in zip(values, offsets, strict=True)
    ]
    return pa.Table.from_pylist(records, schema=arrow_schema(shape))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Offsets of one partition that a batch stores, one row each, from `start` up to `stop`."""

    start: int
    stop: int
    fence: int
    place: Partition = field(default_factory=partition)
    generation: str = GENERATION
    duplicate: int = 0


def batch(
    *stretches: Stretch,
    status: str = "new",
    shape: TableShape = LEAD,
    table: str = TABLE,
    rows: pa.Table | None = None,
    lanes: Mapping[tuple[Partition, str], LaneMark] | None = None,
    quarantined: Iterable[Quarantined] = (),
    gaps: Iterable[Gap] = (),
) -> HistoryBatch:
    """A batch that accounts for these stretches; its rows are leads with the offset as id, unless given."""
    made = rows if rows is not None else _leads(stretches, status, shape)
    set_aside = tuple(quarantined)
    return HistoryBatch(
        table=table,
        shape=shape,
        rows=made,
        spans=tuple(_span(stretch, set_aside) for stretch in stretches),
        fences={stretch.place: stretch.fence for stretch in stretches},
        lanes=_marks(stretches) if lanes is None else lanes,
        quarantined=set_aside,
        gaps=tuple(gaps),
    )


def stretch(mark: Mark, count: int, place: Partition | None = None) -> Stretch:
    """The next `count` offsets after a claim."""
    return Stretch(mark.next_offset, mark.next_offset + count, mark.fence, place or partition())


def quarantined(
    offset: int,
    key: bytes | None = None,
    value: bytes | None = None,
    headers: bytes = b"",
    place: Partition | None = None,
) -> Quarantined:
    return Quarantined(
        partition=place or partition(),
        generation=GENERATION,
        offset=offset,
        timestamp=1_700_000_000_000,
        key=key,
        value=value,
        headers=headers,
        lane=None,
        order=None,
        error="RecordUnreadable",
        reason="The magic byte is wrong.",
    )


def _leads(stretches: Sequence[Stretch], status: str, shape: TableShape) -> pa.Table:
    tables = [arrow_schema(shape).empty_table()]
    for one in stretches:
        offsets = range(one.start, one.stop - one.duplicate)
        values = [{"id": offset, "status": status} for offset in offsets]
        tables.append(history_rows(values, offsets, shape, one.place, one.generation))
    return pa.concat_tables(tables)


def _span(one: Stretch, set_aside: Sequence[Quarantined]) -> Span:
    read = one.stop - one.start
    aside = sum(record.partition == one.place for record in set_aside)
    return Span(
        partition=one.place,
        generation=one.generation,
        start=one.start,
        stop=one.stop,
        read=read,
        stored=read - one.duplicate - aside,
        duplicate=one.duplicate,
        filtered=0,
        quarantined=aside,
        digest="0" * 32,
    )


def _marks(stretches: Sequence[Stretch]) -> dict[tuple[Partition, str], LaneMark]:
    return {
        (one.place, LANE): LaneMark(order(one.stop - 1), 1_700_000_000_000_000)
        for one in stretches
        if one.stop > one.start
    }
