"""Takes a batch: decodes it by groups of schemas, settles each record's fate, and leaves odd ones to the reference.

Raises nothing of its own: where a batch has to be refused, the reference takes all of it and says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from stenograph.errors import RecordUnreadable, SchemaConflict, ValueOutOfRange
from stenograph.history import Quarantined
from stenograph.offsets import ORDER_BYTES, LaneMark
from stenograph.packing import Bools, Ints
from stenograph.ports import LoggedBatch
from stenograph.schemas import TablePlan, TableShape
from stenograph.sink.by_record import take_by_record
from stenograph.sink.columnar.decoding import Decoded, decoded
from stenograph.sink.columnar.fates import NotSure, Places, part, stored
from stenograph.sink.columnar.rows import ColumnarRows
from stenograph.sink.columnar.survey import NO_MESSAGE, UNFRAMED, Survey, chosen, survey
from stenograph.sink.lanes import Lanes
from stenograph.sink.quarantine import set_aside
from stenograph.sink.readers import Readers
from stenograph.sink.record import HistoryRow, ReadRecord, history_row, read_record
from stenograph.sink.taken import HistoryRows, RowsByRecord, Taken

_MOSTLY = 0.5
"""With more odd records than this share, to take them all one by one is quicker."""


def take_by_columns(readers: Readers, plan: TablePlan, lanes: Lanes, batch: LoggedBatch) -> Taken:
    """See `Take`."""
    try:
        return _Taking(readers, plan, lanes, batch).taken()
    except (NotSure, SchemaConflict):
        # Which record comes first decides what is raised: the reference meets them in order.
        return take_by_record(readers, plan, lanes, batch)


@dataclass(slots=True)
class _Aside:
    """The records that are read one by one: what was read, and what is to be set aside."""

    read: dict[int, ReadRecord] = field(default_factory=dict)
    quarantined: dict[int, Quarantined] = field(default_factory=dict)


class _Taking:
    def __init__(self, readers: Readers, plan: TablePlan, lanes: Lanes, batch: LoggedBatch) -> None:
        self._readers = readers
        self._plan = plan
        self._lanes = lanes
        self._batch = batch

    def taken(self) -> Taken:
        batch = self._batch
        seen = survey(batch)
        there = seen.value_ids != NO_MESSAGE
        is_plain = chosen([facts.is_plain for facts in seen.facts], seen.headers) if len(batch) else there
        candidates = there & seen.ours & is_plain & (seen.value_ids >= 0) & (seen.key_ids != UNFRAMED)
        groups = list(decoded(self._readers, seen, candidates))
        sure = np.zeros(len(batch), np.bool_)
        for group in groups:
            sure[group.places] = group.sure
        odd = np.flatnonzero(there & ~sure)
        if len(odd) > _MOSTLY * len(batch):
            raise NotSure
        aside = self._read_aside(odd)
        fresh, moves = self._fates(seen, groups, sure, aside)
        parts, needs = self._parts(seen, groups, fresh, aside)
        for lane, mark in moves.items():
            self._lanes.move(batch.partition, lane, mark)
        shapes = [shape for _, shape in sorted(needs, key=lambda need: need[0])]
        # Invariant 9: each is counted by itself, so that the books show it if one were forgotten.
        counts = Counter(
            stored=sum(len(places) for places, _ in parts),
            duplicate=int(sure.sum() + len(aside.read) - fresh.sum()),
            filtered=int(len(batch) - there.sum()),
            quarantined=len(aside.quarantined),
        )
        return Taken(
            batch,
            _in_order(parts),
            counts,
            {name for shape in shapes for name in shape.key},
            list(dict.fromkeys(shapes)),
            [aside.quarantined[index] for index in sorted(aside.quarantined)],
        )

    def _read_aside(self, odd: Ints) -> _Aside:
        aside = _Aside()
        for index in odd.tolist():
            value = self._batch.values[index]
            assert value is not None
            try:
                aside.read[index] = read_record(self._readers, self._batch, index, value)
            except RecordUnreadable as fault:
                aside.quarantined[index] = set_aside(self._batch, index, fault)
        return aside

    def _fates(
        self, seen: Survey, groups: Sequence[Decoded], sure: Bools, aside: _Aside
    ) -> tuple[Bools, dict[str, LaneMark]]:
        """Which records are stored if their values can be, and to where the lanes move."""
        committed_at = np.zeros(len(sure), np.int64)
        for group in groups:
            committed_at[group.places] = group.events.committed_at
        readable, repeats = sure, None
        names, codes, orders = list(seen.lanes.choices), seen.lanes.codes, seen.orders
        if aside.read:
            readable, repeats = sure.copy(), np.ones(len(sure), np.bool_)
            codes, orders = codes.copy(), orders.copy()
            for index, record in aside.read.items():
                place = record.place
                if place.lane not in names:
                    names.append(place.lane)
                if len(place.order) != ORDER_BYTES:
                    raise NotSure
                readable[index], codes[index] = True, names.index(place.lane)
                orders[index], repeats[index] = place.order, place.repeats
                committed_at[index] = record.event.origin.committed_at
        which = np.flatnonzero(readable)
        places = part(Places(names, codes, orders, committed_at, repeats), which)
        fresh = np.zeros(len(sure), np.bool_)
        fresh[which], moves = stored(places, self._lanes, self._batch.partition)
        return fresh, moves

    def _parts(
        self, seen: Survey, groups: Sequence[Decoded], fresh: Bools, aside: _Aside
    ) -> tuple[list[tuple[Ints, HistoryRows]], list[tuple[int, TableShape]]]:
        """Rows with their places in the batch, and from which place on a shape is needed."""
        parts: list[tuple[Ints, HistoryRows]] = []
        needs: list[tuple[int, TableShape]] = []
        for group in groups:
            which = np.flatnonzero(group.sure & fresh[group.places])
            if len(which):
                first = int(group.places[which[0]])
                value = self._batch.values[first]
                assert value is not None
                mapping = self._readers.mapping(self._plan, value, group.key_columns)
                needs.append((first, mapping.shape))
                rows = ColumnarRows(self._plan, self._batch, seen, group, mapping, which)
                parts.append((group.places[which], rows))
        by_record: dict[int, HistoryRow] = {}
        for index, record in aside.read.items():
            if fresh[index]:
                try:
                    by_record[index] = history_row(self._readers, self._plan, self._batch, record)
                except ValueOutOfRange as fault:
                    aside.quarantined[index] = set_aside(self._batch, index, fault)
        if by_record:
            needs += [(index, row.shape) for index, row in by_record.items()]
            parts.append((np.array(list(by_record), np.int64), RowsByRecord(list(by_record.values()))))
        return parts, needs


class _Merged:
    """Rows of several kinds in the order of their records."""

    def __init__(self, parts: Sequence[tuple[Ints, HistoryRows]]) -> None:
        self._rows = [rows for _, rows in parts]
        self._order = np.argsort(np.concatenate([places for places, _ in parts]))

    def in_shape(self, shape: TableShape) -> pa.Table:
        """See `HistoryRows.in_shape`."""
        return pa.concat_tables([rows.in_shape(shape) for rows in self._rows]).take(self._order)


def _in_order(parts: Sequence[tuple[Ints, HistoryRows]]) -> HistoryRows:
    match parts:
        case []:
            return RowsByRecord([])
        case [(_, rows)]:
            return rows
        case _:
            return _Merged(parts)
