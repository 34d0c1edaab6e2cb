"""One flush of one history table: log records in, one batch for the warehouse out.

Stores nothing, and knows of no record what became of it: that is for the one who takes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa

from stenograph.errors import ValueOutOfRange
from stenograph.history import HistoryBatch, arrow_schema
from stenograph.offsets import Mark, Partition, Span
from stenograph.ports import LoggedBatch
from stenograph.schemas import TablePlan, TableShape
from stenograph.sink.account import span_of
from stenograph.sink.by_record import take_by_record
from stenograph.sink.lanes import Lanes
from stenograph.sink.quarantine import set_aside
from stenograph.sink.readers import Readers
from stenograph.sink.taken import RowsByRecord, Take, Taken


class Flush:
    """Takes the batches of the partitions of one topic, each partition's in its order, then makes the HistoryBatch.

    `marks` are where the claim left each partition; the lanes in them move as records are taken, in a copy. `take`
    says how: record by record, which is the reference, or by columns, which gives the same and is faster.
    """

    def __init__(
        self, plan: TablePlan, readers: Readers, marks: Mapping[Partition, Mark], take: Take = take_by_record
    ) -> None:
        self._plan = plan
        self._readers = readers
        self._marks = marks
        self._take = take
        self._taken: list[Taken] = []
        self._lanes = Lanes(marks)
        self.needs: list[TableShape] = []
        """The shapes that the rows taken need of the history table, oldest first."""

    def take(self, batch: LoggedBatch) -> None:
        """Take a partition's records. Raise LaneRegressed or SchemaConflict; then the flush is spoilt."""
        taken = self._take(self._readers, self._plan, self._lanes, batch)
        self._taken.append(taken)
        self.needs += [shape for shape in taken.needs if shape not in self.needs]

    def refuse(self, batch: LoggedBatch, fault: ValueOutOfRange) -> None:
        """Set every record of the batch aside: the warehouse has refused them."""
        aside = [set_aside(batch, index, fault) for index in range(len(batch))]
        counts = Counter({"quarantined": len(aside)})
        self._taken.append(Taken(batch, RowsByRecord([]), counts, quarantined=aside))

    def finish(self, shape: TableShape) -> HistoryBatch:
        """The batch, in the history table's whole shape: columns that a row does not have are null."""
        schema = arrow_schema(shape)
        tables = [taken.rows.in_shape(shape) for taken in self._taken]
        of_partition: dict[Partition, list[tuple[Taken, pa.Table]]] = {}
        for taken, table in zip(self._taken, tables, strict=True):
            of_partition.setdefault(taken.batch.partition, []).append((taken, table))
        return HistoryBatch(
            table=self._plan.history,
            shape=shape,
            rows=pa.concat_tables(tables) if tables else schema.empty_table(),
            spans=tuple(_span(stretches) for stretches in of_partition.values()),
            fences={partition: self._marks[partition].fence for partition in of_partition},
            lanes=self._lanes.moved,
            quarantined=tuple(record for taken in self._taken for record in taken.quarantined),
        )


def _span(stretches: Sequence[tuple[Taken, pa.Table]]) -> Span:
    return span_of(
        [taken.batch for taken, _ in stretches],
        sum((taken.counts for taken, _ in stretches), Counter()),
        pa.concat_tables([table for _, table in stretches]),
        set().union(*(taken.key for taken, _ in stretches)),
    )
