"""What became of the records of one batch: counts of fates, history rows, and what was set aside.

Decides nothing: filled by whoever takes the batch, record by record or column by column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from stenograph.envelope.fit import Fit
from stenograph.history import Quarantined, arrow_schema
from stenograph.ports import LoggedBatch
from stenograph.schemas import TablePlan, TableShape
from stenograph.sink.lanes import Lanes
from stenograph.sink.readers import Readers
from stenograph.sink.record import HistoryRow


class HistoryRows(Protocol):
    """Rows on their way into history, before the table's whole shape is known."""

    def in_shape(self, shape: TableShape) -> pa.Table:
        """The rows in the columns of `arrow_schema(shape)`; nulls where they do not have one."""
        ...


class RowsByRecord:
    """Rows as one object each; `rows` may still grow."""

    def __init__(self, rows: Sequence[HistoryRow]) -> None:
        self._rows = rows

    def in_shape(self, shape: TableShape) -> pa.Table:
        """See `HistoryRows.in_shape`."""
        fits = {id(row.mapping): Fit(row.mapping, shape) for row in self._rows}
        fitted = [row.in_shape_of(fits[id(row.mapping)]) for row in self._rows]
        schema = arrow_schema(shape)
        columns = [pa.array([row.get(column.name) for row in fitted], type=column.type) for column in schema]
        return pa.Table.from_arrays(columns, schema=schema)


@dataclass(slots=True)
class Taken:
    """A batch that was taken: `key` are the columns that were a key of the rows stored.

    `needs` are the shapes that the rows need of the history table, oldest first.
    """

    batch: LoggedBatch
    rows: HistoryRows
    counts: Counter[str] = field(default_factory=Counter)
    key: set[str] = field(default_factory=set)
    needs: list[TableShape] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)


class Take(Protocol):
    """Takes a batch and moves `lanes` over it. Raise LaneRegressed or SchemaConflict; then `lanes` are spoilt."""

    def __call__(self, readers: Readers, plan: TablePlan, lanes: Lanes, batch: LoggedBatch) -> Taken:
        """Take all records of the batch."""
        ...
