"""Encodes a run of changes of one transaction at once, whatever tables they are of.

Order, numbers and headers are those that the changes get one by one. What the emitters are not sure of is given to the
compiled function in its place; where that is not sure either, the run ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stenograph.packing import Coded, Codes, Ints, Packed
from stenograph.ports import Headers
from stenograph.sources.postgres.batch import BatchUnderway, EncodedRun
from stenograph.sources.postgres.columnar.blocks import Places
from stenograph.sources.postgres.columnar.changes import TableChanges, shape_of
from stenograph.sources.postgres.columnar.records import Records, packed_orders
from stenograph.sources.postgres.compiled import UNSURE, Encoded
from stenograph.sources.postgres.open_table import OpenTable
from stenograph.sources.postgres.source_block import clock_bytes, in_transaction
from stenograph.sources.postgres.transaction import ORDINALS, OpenTransaction


def add_run(
    frames: Sequence[bytes],
    tables: Mapping[bytes, OpenTable],
    transaction: OpenTransaction,
    batch: BatchUnderway,
    nanos: int,
) -> int:
    """Add the frames' changes to the batch; how many, from the first on.

    The frames are of tables that are open, by the four bytes of the relation's oid. `nanos` is when they were seen.
    """
    run = _Run(frames, tables, transaction, nanos)
    if run.taken:
        batch.add_run(run.encoded())
        run.count()
    return run.taken


@dataclass(frozen=True, slots=True)
class _Group:
    """Changes of one table that have the same shape."""

    table: OpenTable
    changes: TableChanges


class _Run:
    def __init__(
        self,
        frames: Sequence[bytes],
        tables: Mapping[bytes, OpenTable],
        transaction: OpenTransaction,
        nanos: int,
    ) -> None:
        self._transaction = transaction
        self._nanos = nanos
        self._now = clock_bytes(nanos)
        self._tables, self._codes, self._groups = _grouped(frames, tables)
        self._lsn = np.empty(len(frames), np.int64)
        for group in self._groups:
            self._lsn[group.changes.rows] = group.changes.lsn
        self._ordinals = _ordinals(self._lsn, transaction)
        self._total = np.arange(transaction.total + 1, transaction.total + 1 + len(frames))
        self._events = np.empty(len(frames), np.int64)
        for code, table in enumerate(self._tables):
            rows = np.flatnonzero(self._codes == code)
            self._events[rows] = np.arange(table.tally.events + 1, table.tally.events + 1 + len(rows))
        self._block = in_transaction(transaction.id(int(self._lsn[0])))
        self._others: dict[int, Encoded] = {}
        self.taken = self._encode_others(frames)

    def encoded(self) -> EncodedRun:
        """The changes that were taken."""
        taken = self.taken
        made = [self._records(group) for group in self._groups]
        records = made[0] if len(made) == 1 else self._merged(made)
        begin = self._transaction.begin
        return EncodedRun(
            Coded(tuple(table.topic for table in self._tables), self._codes[:taken]),
            Packed(records.keys),
            Packed(records.values),
            [self._nanos // 1_000_000] * taken,
            packed_orders(self._transaction.run, begin.final_lsn, self._lsn[:taken], self._ordinals[:taken]),
            self._headers(),
        )

    def count(self) -> None:
        """Count the changes that were taken in the transaction."""
        transaction, last = self._transaction, self.taken - 1
        transaction.lsn = int(self._lsn[last])
        transaction.ordinal = int(self._ordinals[last]) + ORDINALS
        transaction.total += self.taken
        for code, table in enumerate(self._tables):
            table.tally.events += int(np.count_nonzero(self._codes[: self.taken] == code))

    def _encode_others(self, frames: Sequence[bytes]) -> int:
        """Encode what is unusual in its order, up to the first change that needs the reference: its place."""
        unusual: list[tuple[int, OpenTable]] = []
        for group in self._groups:
            rows = group.changes.rows[group.changes.unusual].tolist()
            unusual += [(row, group.table) for row in rows]
        for row, table in sorted(unusual, key=lambda each: each[0]):
            lsn, total, events = int(self._lsn[row]), int(self._total[row]), int(self._events[row])
            try:
                self._others[row] = table.one(frames[row], lsn, self._block, total, events, self._now)
            except UNSURE:
                return row
        return len(frames)

    def _records(self, group: _Group) -> Records:
        rows = group.changes.rows
        places = Places(group.changes.lsn, self._total[rows], self._events[rows])
        return group.changes.encoded(
            group.table.blocks(self._block, self._now), places, self._others, self.taken
        )

    def _merged(self, records: Sequence[Records]) -> Records:
        rows = np.concatenate([group.changes.rows[group.changes.rows < self.taken] for group in self._groups])
        order = np.argsort(rows)
        keys = pa.concat_arrays([of.keys for of in records]).take(order)
        return Records(keys, pa.concat_arrays([of.values for of in records]).take(order))

    def _headers(self) -> Coded[Headers]:
        by_row = {row: headers for row, (_, _, headers) in self._others.items()}
        for group in self._groups:
            by_row |= group.changes.headers()
        choices: dict[Headers, int] = {(): 0}
        codes: Codes = np.zeros(len(self._lsn), np.int32)
        for row, headers in by_row.items():
            codes[row] = choices.setdefault(headers, len(choices))
        return Coded(tuple(choices), codes[: self.taken])


def _grouped(
    frames: Sequence[bytes], tables: Mapping[bytes, OpenTable]
) -> tuple[list[OpenTable], Codes, list[_Group]]:
    """The tables of the frames, the number of each frame's table among these, and the changes by table and shape."""
    # The kind of change, the relation's oid, and what the first tuple is.
    heads = [frame[25:31] for frame in frames]
    known = {head: code for code, head in enumerate(dict.fromkeys(heads))}
    by_head = np.fromiter(map(known.__getitem__, heads), np.int32, len(heads))
    found = list(dict.fromkeys(tables[head[1:5]] for head in known))
    table_of_head = np.array([found.index(tables[head[1:5]]) for head in known], np.int32)
    shapes = [
        (tables[head[1:5]], shape_of(tables[head[1:5]].encoders.columnar, head[0], head[5])) for head in known
    ]
    groups = []
    for table, shape in dict.fromkeys(shapes):
        heads_of_group = np.array([each == (table, shape) for each in shapes])
        rows = np.flatnonzero(heads_of_group[by_head])
        of_group = frames if len(rows) == len(frames) else [frames[row] for row in rows.tolist()]
        groups.append(_Group(table, TableChanges(table.encoders.columnar, shape, of_group, rows)))
    return found, table_of_head[by_head], groups


def _ordinals(lsn: Ints, transaction: OpenTransaction) -> Ints:
    """The first place that each change takes among those of its LSN (Invariant 4)."""
    rows = np.arange(len(lsn))
    begins = np.concatenate([[True], lsn[1:] != lsn[:-1]])
    first = np.maximum.accumulate(np.where(begins, rows, 0))
    ordinals = (rows - first) * ORDINALS
    if int(lsn[0]) == transaction.lsn:
        ordinals[first == 0] += transaction.ordinal
    return ordinals
