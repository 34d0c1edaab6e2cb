"""One table being read from a snapshot into the log, batch by batch.

Decides neither which tables are read nor when; `reading` does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from stenograph.events import ChangeEvent, Op, Origin, TableId
from stenograph.offsets import order_of
from stenograph.packing import Coded, Packed
from stenograph.ports import Headers
from stenograph.sources.postgres.batch import MAX_BATCH_BYTES, BatchUnderway, EncodedRun
from stenograph.sources.postgres.changes import CONNECTOR
from stenograph.sources.postgres.columnar.lines import encoded_lines
from stenograph.sources.postgres.columnar.records import Records, packed_orders
from stenograph.sources.postgres.compiled import UNSURE
from stenograph.sources.postgres.copying import Copying
from stenograph.sources.postgres.express import AT_ONCE, CLOCK_EVERY
from stenograph.sources.postgres.open_table import TableEncoders
from stenograph.sources.postgres.setback import Setback
from stenograph.sources.postgres.snapshot import RawRow, Snapshot, values_of
from stenograph.sources.postgres.source_block import clock_bytes
from stenograph.sources.postgres.table import CapturedTable


class TableReading:
    """One table being read into the log, batch by batch.

    Rows are numbered from 1; the event of number 0, where there is one, says that what history holds of the
    table from before is gone.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        copying: Copying,
        table: CapturedTable,
        run: int,
        source: str,
        database: str,
    ) -> None:
        self._snapshot = snapshot
        self._copying = copying
        self._table = table
        self._encoders = TableEncoders(table, source, database)
        self._tail = self._encoders.block.outside(
            snapshot.taken_at, "true", f'[null,"{snapshot.point}"]', snapshot.point
        )
        self._run = run
        self._source = source
        self._database = database
        self._number = 0
        self._lines: list[bytes] = []
        self._setback = Setback()

    @property
    def id(self) -> TableId:
        """The table."""
        return self._table.form.wire.table

    @property
    def rows(self) -> int:
        """How many rows have been given."""
        return self._number

    def add_clearing(self, batch: BatchUnderway) -> None:
        """Add the truncate that stands before the rows."""
        event = self._event(Op.TRUNCATE, None, "true")
        batch.add(self._table, event, self._order(0))

    def read(self, batch: BatchUnderway, until: float) -> bool:
        """Add rows until the batch is full or time is up; whether the table is finished."""
        while not batch.is_full and self._has_lines(until):
            is_marked = self._number == 0 or len(self._lines) == 1
            # The first row and the last are marked: they go through the reference.
            taken = 0 if is_marked else self._add_between(batch)
            if not taken:
                self._add(batch)
                taken = 1
            del self._lines[:taken]
            if time.monotonic() >= until:
                break
        return self._copying.is_over and not self._lines

    def close(self) -> None:
        """Stop reading."""
        self._copying.close()

    def _has_lines(self, until: float) -> bool:
        """Whether there is a row of which it is known whether it is the last."""
        while len(self._lines) < 2 and not self._copying.is_over:
            more = self._copying.lines(until)
            self._lines += more
            if not more and not self._copying.is_over:
                return False
        return bool(self._lines)

    def _add_between(self, batch: BatchUnderway) -> int:
        """Add rows of which another one follows, while the encoders are sure of them; how many."""
        is_set_back = self._setback.rows > 0
        most = min(batch.limit - len(batch), len(self._lines) - 1)
        room = min(most, CLOCK_EVERY) if is_set_back else most
        lines = self._lines[:room]
        size = sum(map(len, lines)) + room * len(self._tail)
        nanos = time.time_ns()
        if is_set_back or room < AT_ONCE or batch.size + size >= MAX_BATCH_BYTES:
            taken = self._add_one_by_one(lines, batch, nanos)
            self._setback.note_alone(taken)
            return taken
        records = encoded_lines(self._encoders.columnar, lines, self._tail, clock_bytes(nanos))
        taken = len(records)
        self._setback.note_run(taken, len(lines))
        if taken:
            batch.add_run(self._run_of(records, nanos))
            self._number += taken
        return taken

    def _add_one_by_one(self, lines: Sequence[bytes], batch: BatchUnderway, nanos: int) -> int:
        encode, tail, now = self._encoders.compiled.line, self._tail, clock_bytes(nanos)
        taken = 0
        for line in lines:
            try:
                key, value, headers = encode(line, tail, now)
            except UNSURE:
                break
            self._number += 1
            batch.topics.append(self._table.form.wire.topic)
            batch.keys.append(key)
            batch.values.append(value)
            batch.timestamps.append(nanos // 1_000_000)
            batch.orders.append(self._order(self._number))
            batch.headers.append(headers)
            batch.size += len(value)
            taken += 1
            if batch.size >= MAX_BATCH_BYTES:
                break
        return taken

    def _run_of(self, records: Records, nanos: int) -> EncodedRun:
        taken = len(records)
        numbers = np.arange(self._number + 1, self._number + 1 + taken)
        orders = packed_orders(self._run, self._snapshot.point, numbers >> 32, numbers & 0xFFFFFFFF)
        nothing: Coded[Headers] = Coded([()], np.zeros(taken, np.int32))
        return EncodedRun(
            Coded([self._table.form.wire.topic], nothing.codes),
            Packed(records.keys),
            Packed(records.values),
            [nanos // 1_000_000] * taken,
            orders,
            nothing,
        )

    def _add(self, batch: BatchUnderway) -> None:
        self._number += 1
        is_last = len(self._lines) == 1
        marker = "last" if is_last else "first" if self._number == 1 else "true"
        event = self._event(Op.SNAPSHOT, values_of(self._lines[0]), marker)
        batch.add(self._table, event, self._order(self._number))

    def _order(self, number: int) -> bytes:
        return order_of(self._run, self._snapshot.point, number >> 32, number & 0xFFFFFFFF)

    def _event(self, op: Op, row: RawRow | None, marker: str) -> ChangeEvent:
        form, point = self._table.form, self._snapshot.point
        after = None if row is None else form.row(row)
        return ChangeEvent(
            op=op,
            origin=Origin(
                connector=CONNECTOR,
                source=self._source,
                database=self._database,
                table=form.wire.table,
                committed_at=self._snapshot.taken_at,
                snapshot=marker,
                sequence=f'[null,"{point}"]',
                lsn=point,
            ),
            key=None if after is None else form.key(after),
            before=None,
            after=after,
            observed_at=time.time_ns(),
        )
