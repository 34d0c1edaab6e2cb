"""History rows of one writer schema as columns: what `history_row` makes of each record, made of all at once.

Casts and leaves out nothing by itself: the mapping and the fit say what becomes of a column.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stenograph.envelope.columnar import Rows
from stenograph.envelope.fit import Fit
from stenograph.envelope.mapping import Outside, RowMapping, Target
from stenograph.events import Op
from stenograph.history import arrow_schema, arrow_type
from stenograph.offsets import ORDER_BYTES
from stenograph.packing import Bools, Codes, Ints
from stenograph.ports import LoggedBatch
from stenograph.schemas import TablePlan, TableShape
from stenograph.sink.columnar.decoding import Decoded
from stenograph.sink.columnar.json_texts import cast_texts, json_objects, json_texts
from stenograph.sink.columnar.survey import Survey
from stenograph.sink.record import DAWN

Array: TypeAlias = "pa.Array[Any]"
_INSTANT = pa.timestamp("us", tz="UTC")


class ColumnarRows:
    """Some of a group's records as `HistoryRows`; `which` are their numbers in the group."""

    def __init__(
        self,
        plan: TablePlan,
        batch: LoggedBatch,
        seen: Survey,
        group: Decoded,
        mapping: RowMapping,
        which: Ints,
    ) -> None:
        self._plan = plan
        self._batch = batch
        self._seen = seen
        self._group = group
        self._mapping = mapping
        self._which = which
        self._is_whole = len(which) == len(group.places)
        self._at = {column.name: number for number, column in enumerate(group.reader.columns)}
        self._by_key = self._truths(group.by_key)
        self._full = self._truths(group.full)
        self._places = group.places if self._is_whole else group.places[which]
        self._codes: Codes = group.codes if self._is_whole else group.codes[which]

    def __len__(self) -> int:
        return len(self._which)

    def in_shape(self, shape: TableShape) -> pa.Table:
        """See `HistoryRows.in_shape`."""
        fit = Fit(self._mapping, shape)
        columns = dict(self._own())
        for target in self._mapping.targets:
            cast = fit.casts.get(target.column.name)
            if cast is not None:
                columns[target.column.name] = cast.column(target.cast.column(self._wire[target.source]))
        columns |= self._defaults(fit)
        extra = self._extra(fit)
        if extra is not None:
            columns["_steno_extra"] = extra
        schema = arrow_schema(shape)
        return pa.Table.from_arrays(
            [
                pa.nulls(len(self), field.type) if field.name not in columns else columns[field.name]
                for field in schema
            ],
            schema=schema,
        )

    @cached_property
    def _wire(self) -> Mapping[str, Array]:
        """The row that history keeps, by wire column: the row after, or what is known of one that is gone."""
        every: tuple[Target | Outside, ...] = (*self._mapping.targets, *self._mapping.outside)
        return {sent.source: self._column(sent.source) for sent in every}

    def _column(self, source: str) -> Array:
        group = self._group
        number = self._at[source]
        column = self._picked(group.events.after.columns[number])
        unsent = group.unsent.get(source)
        if unsent is not None:
            column = pc.if_else(pa.array(self._truths(unsent)), pa.scalar(None, column.type), column)
        if not self._is_gone.any():
            return column
        gone = self._is_gone & ~self._by_key
        if gone.any():
            column = pc.if_else(pa.array(gone), self._picked(group.events.before.columns[number]), column)
        if group.keys is not None and source in group.key_columns and self._by_key.any():
            key = self._picked(group.keys.columns[group.key_columns.index(source)])
            column = pc.if_else(pa.array(self._by_key), key, column)
        return column

    @cached_property
    def _is_gone(self) -> Bools:
        ops = self._group.events.op
        return self._truths(ops.codes == list(ops.choices).index(Op.DELETE))

    def _defaults(self, fit: Fit) -> Iterator[tuple[str, Array]]:
        for name, value in self._mapping.defaults.items():
            cast = fit.casts.get(name)
            of = next(column.type for column in self._mapping.shape.columns if column.name == name)
            if cast is not None:
                whole = cast.column(pa.array([value], arrow_type(of)))
                yield name, self._where_a_row(whole.take(np.zeros(len(self), np.int64)))

    def _where_a_row(self, column: Array) -> Array:
        """Null for what was deleted by its key alone."""
        if not self._by_key.any():
            return column
        found: Array = pc.if_else(pa.array(self._by_key), pa.scalar(None, column.type), column)
        return found

    def _extra(self, fit: Fit) -> Array | None:
        mapping = self._mapping
        if not mapping.outside and not fit.misfits:
            return None
        texts = {}
        for outside in mapping.outside:
            column = json_texts(self._wire[outside.source], outside.of)
            texts[outside.source] = self._where_a_row(self._where_sent(outside.source, column))
        for target in fit.misfits:
            column = self._where_sent(target.source, _misfit_texts(self._wire[target.source], target))
            is_key = target.column.name in mapping.shape.key
            texts[target.source] = column if is_key else self._where_a_row(column)
        objects = json_objects(texts)
        nothing = pa.array(np.full(len(self), not mapping.outside) | self._by_key)
        for column in texts.values():
            nothing = pc.and_(nothing, column.is_null())
        empty: Array = pc.if_else(nothing, pa.scalar(None, pa.string()), objects)
        return empty

    def _where_sent(self, source: str, column: Array) -> Array:
        unsent = self._group.unsent.get(source)
        if unsent is None:
            return column
        sent: Array = pc.if_else(pa.array(self._truths(unsent)), pa.scalar(None, column.type), column)
        return sent

    def _own(self) -> Iterator[tuple[str, Array]]:
        # Invariant 11: a row is made of the record and the plan alone, so that a replay makes the same one.
        events, batch, count = self._group.events, self._batch, len(self)
        committed = pa.array(self._numbers(events.committed_at)).view(_INSTANT)
        yield (
            "_steno_op",
            self._chosen([op.value for op in events.op.choices], self._numbers(events.op.codes)),
        )
        yield "_steno_source", pa.repeat(self._plan.source, count)
        yield "_steno_committed_at", committed
        yield "_steno_changed_at", committed
        snapshots = events.op.codes == list(events.op.choices).index(Op.SNAPSHOT)
        if snapshots.any():
            dawns = np.full(count, DAWN, np.int64)
            yield "_steno_changed_after", pa.array(dawns, mask=~self._truths(snapshots)).view(_INSTANT)
        yield "_steno_observed_at", pa.array(self._numbers(events.observed_at)).view(_INSTANT)
        lanes = self._seen.lanes
        yield "_steno_lane", self._chosen(lanes.choices, lanes.codes[self._places])
        yield "_steno_order", _hex(self._seen.orders[self._places])
        yield from self._said_by_headers()
        yield "_steno_transaction", self._picked(events.transaction_id)
        yield "_steno_topic", pa.repeat(batch.partition.topic, count)
        yield "_steno_log_generation", pa.repeat(batch.generation, count)
        yield "_steno_log_partition", pa.repeat(pa.scalar(batch.partition.number, pa.int32()), count)
        yield "_steno_log_offset", pa.array(self._seen.offsets[self._places])
        yield "_steno_schema", pa.repeat(self._group.reader.fingerprint, count)
        if self._plan.model is not None:
            yield "_steno_model_version", pa.repeat(pa.scalar(self._plan.model.version, pa.int32()), count)
        if self._plan.keep_before and self._full.any():
            yield "_steno_before", self._before()

    def _said_by_headers(self) -> Iterator[tuple[str, Array]]:
        facts = self._seen.facts
        if any(each.related_key is not None for each in facts):
            keys = [
                None if f.related_key is None else self._mapping.related_key(dict(f.related_key))
                for f in facts
            ]
            yield "_steno_related_key", self._chosen(keys, self._codes)
        if self._group.unsent:
            # A delete has no row after it of which anything could have been left out.
            lists = [self._unchanged(frozenset(each.unchanged)) for each in facts]
            of_choice = pa.array([*lists, None], pa.list_(pa.string()))
            codes = np.where(self._is_gone, len(lists), self._codes)
            yield "_steno_unchanged", of_choice.take(codes)

    def _unchanged(self, names: frozenset[str]) -> list[str] | None:
        mapping = self._mapping
        targets = [target.column.name for target in mapping.targets if target.source in names]
        return targets + [each.source for each in mapping.outside if each.source in names] or None

    def _before(self) -> Array:
        before: Rows = self._group.events.before
        every: tuple[Target | Outside, ...] = (*self._mapping.targets, *self._mapping.outside)
        texts = {
            sent.source: json_texts(self._picked(before.columns[self._at[sent.source]]), sent.of)
            for sent in every
        }
        objects = json_objects(texts) if texts else pa.repeat("{}", len(self))
        found: Array = pc.if_else(pa.array(self._full), objects, pa.scalar(None, pa.string()))
        return found

    def _chosen(self, choices: Any, codes: Codes) -> Array:
        if len(choices) == 1:
            return pa.repeat(pa.scalar(choices[0], pa.string()), len(self))
        return pa.array(choices, pa.string()).take(codes)

    def _picked(self, column: Array) -> Array:
        return column if self._is_whole else column.take(self._which)

    def _numbers(self, numbers: Any) -> Any:
        return numbers if self._is_whole else numbers[self._which]

    def _truths(self, truths: Bools) -> Bools:
        return truths if self._is_whole else truths[self._which]


def _misfit_texts(wire: Array, target: Target) -> Array:
    if target.cast.is_identity:
        return json_texts(wire, target.of)
    # What a cast gives need not be written as Arrow's own type is: a decimal keeps its scale.
    return cast_texts(wire, target.of, target.cast.value, target.column.type)


def _hex(orders: Any) -> Array:
    text = binascii.hexlify(orders.tobytes())
    ends = np.arange(len(orders) + 1, dtype=np.int32) * (2 * ORDER_BYTES)
    return pa.StringArray.from_buffers(len(orders), pa.py_buffer(ends.tobytes()), pa.py_buffer(text))
