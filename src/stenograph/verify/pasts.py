"""How a span may have been made: the shapes that its table has had, and the versions of its model.

Invariant 11: a span is made by one sink with one plan and one shape, so what is tried is tried for the whole span.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import pyarrow as pa

from stenograph.envelope.casts import lossless
from stenograph.history import arrow_schema, arrow_type
from stenograph.ports import LoggedBatch
from stenograph.schemas import TablePlan, TableShape, ValuePolicy


def pasts(
    plan: TablePlan, shape: TableShape, recorded: Sequence[TableShape]
) -> Iterator[tuple[TablePlan, TableShape]]:
    """Every plan and shape that may have made a span, the newest first; today's own are the first."""
    shapes = (shape, *(each for each in reversed(recorded) if each != shape))
    for of_model in _plans(plan):
        for of_policy in _policies(of_model):
            yield from ((of_policy, of_shape) for of_shape in shapes)


def in_todays_shape(rows: pa.Table, made: TableShape, shape: TableShape) -> pa.Table:
    """Rows of the shape `made` as the table holds them since it has its shape of today."""
    columns = []
    schema = arrow_schema(shape)
    for field in schema:
        then, now = made.column(field.name), shape.column(field.name)
        if field.name not in rows.column_names:
            columns.append(pa.nulls(rows.num_rows, field.type))
            continue
        column = rows.column(field.name).combine_chunks()
        cast = None if then is None or now is None else lossless(then.type, now.type)
        columns.append(column if cast is None else cast.column(column))
    return pa.Table.from_arrays(columns, schema=schema)


def as_they_were(rows: pa.Table, recorded: Sequence[TableShape]) -> Iterator[pa.Table]:
    """The rows as the table holds them, then with their columns as narrow as they may have been, the newest first.

    A shape whose types cannot hold the rows' values is left out: they were not stored in it.
    """
    yield rows
    for shape in reversed(recorded):
        with suppress(pa.ArrowException):
            yield _narrowed(rows, shape)


def _narrowed(rows: pa.Table, shape: TableShape) -> pa.Table:
    narrow = rows
    for index, name in enumerate(rows.column_names):
        then = shape.column(name)
        if then is not None and arrow_type(then.type) != rows.field(index).type:
            narrow = narrow.set_column(index, name, rows.column(name).cast(arrow_type(then.type)))
    return narrow


def without(batch: LoggedBatch, offsets: Collection[int]) -> LoggedBatch:
    """The batch of the same stretch, without the records at these offsets."""
    kept = [index for index, offset in enumerate(batch.offsets) if offset not in offsets]
    return replace(
        batch,
        offsets=[batch.offsets[index] for index in kept],
        timestamps=[batch.timestamps[index] for index in kept],
        keys=[batch.keys[index] for index in kept],
        values=[batch.values[index] for index in kept],
        lanes=[batch.lanes[index] for index in kept],
        orders=[batch.orders[index] for index in kept],
        headers=[batch.headers[index] for index in kept],
    )


def _policies(plan: TablePlan) -> Iterator[TablePlan]:
    """The plan with every policy for values that no column holds; those of single columns may have come later."""
    policies = (plan.unheld, *(each for each in ValuePolicy if each is not plan.unheld))
    yield from (replace(plan, unheld=policy) for policy in policies)
    if plan.unheld_by_column:
        yield from (replace(plan, unheld=policy, unheld_by_column={}) for policy in policies)


def _plans(plan: TablePlan) -> Iterator[TablePlan]:
    yield plan
    for number in range(len(plan.earlier), 0, -1):
        yield replace(plan, model=plan.earlier[number - 1], earlier=plan.earlier[: number - 1])
