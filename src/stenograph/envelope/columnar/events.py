"""Envelopes as Arrow columns: all records of one writer schema, without a Python object for each.

Believes a record no more than `EventReader` does: what that refuses is not sound here. Judges no header.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import numpy as np
import pyarrow as pa

from stenograph.envelope.columnar.arrays import Array, chained, nulls, of_text
from stenograph.envelope.columnar.compound import Branch, Fields, branches_of, node_of
from stenograph.envelope.columnar.framed import closed, opened, windows
from stenograph.envelope.columnar.nodes import Node, NotColumnar, Raw
from stenograph.envelope.columnar.rows import RowColumns, Rows
from stenograph.envelope.columnar.window import Cursor, Window
from stenograph.envelope.reading import INSTANTS, EventReader
from stenograph.events import Op
from stenograph.packing import Bools, Coded, Codes, Ints
from stenograph.schemas import AvroType, SchemaId, resolved

OPS: Final = tuple(Op)
_FIRST, _END = INSTANTS.start, INSTANTS.stop
"""Instants that a record can have, in microseconds since 1970; the last one is the first it cannot."""


@dataclass(frozen=True, slots=True)
class Envelopes:
    """Change events as columns, one place for each record.

    `sound` says where `EventReader.read` would take the record, its headers aside; where it does not, the other
    columns mean nothing. `committed_at` and `observed_at` are in microseconds since 1970 UTC; `transaction_id` is
    null outside a transaction block.
    """

    sound: Bools
    op: Coded[Op]
    committed_at: Ints
    observed_at: Ints
    transaction_id: Array
    after: Rows
    before: Rows

    def __len__(self) -> int:
        return len(self.sound)


class ColumnarEvents:
    """Reads the envelopes of one writer schema, many at once.

    `columns` and `fingerprint` are the `EventReader`'s. With an id, a record that names another schema is not sound.
    Raise RecordUnreadable as `EventReader` does, and NotColumnar for a schema that is not read like this.
    """

    def __init__(self, schema: str, schema_id: SchemaId | None = None) -> None:
        reader = EventReader(schema)
        if reader.is_message:
            raise NotColumnar("messages that are no changes")
        self.columns = reader.columns
        self.fingerprint = reader.fingerprint
        self._id = schema_id
        fields = cast(list[dict[str, Any]], resolved(json.loads(schema))["fields"])
        types: dict[str, AvroType] = {field["name"]: field["type"] for field in fields}
        self._order = tuple(types)
        branches, row = _choice(types["before"])
        after_branches, after_row = _choice(types["after"])
        if row != after_row or not isinstance(row, Mapping):
            raise NotColumnar("rows before and after that are not alike")
        self._rows = RowColumns(row, self.columns)
        self._branches = {"before": branches, "after": after_branches}
        self._source = _block(types["source"], _SOURCE, {"ts_ms", "ts_us"})
        self._transaction: tuple[Branch | None, Fields] | None = None
        if "transaction" in types:
            branch, block = _choice(types["transaction"])
            self._transaction = branch, _block(block, _TRANSACTION, {"id"})
        self._nodes = {name: _node(name, avro) for name, avro in types.items() if name not in _BLOCKS}

    def read(self, values: pa.LargeBinaryArray) -> Envelopes:
        """The events that the values are; no null in `values`."""
        parts = [self._read(window) for window in windows(values)]
        if len(parts) == 1:
            return parts[0]
        nothing = np.zeros(0, np.int64)
        return Envelopes(
            np.concatenate([nothing.astype(np.bool_), *(part.sound for part in parts)]),
            Coded(OPS, np.concatenate([nothing.astype(np.int32), *(part.op.codes for part in parts)])),
            np.concatenate([nothing, *(part.committed_at for part in parts)]),
            np.concatenate([nothing, *(part.observed_at for part in parts)]),
            chained([part.transaction_id for part in parts], pa.string()),
            self._rows.joined([part.after for part in parts]),
            self._rows.joined([part.before for part in parts]),
        )

    def _read(self, window: Window) -> Envelopes:
        cursor = opened(window, self._id)
        read: dict[str, Raw] = {}
        rows: dict[str, tuple[list[Raw], Ints | None]] = {}
        source: dict[str, Raw] = {}
        transaction_id: Raw | None = None
        for name in self._order:
            if name in self._branches:
                rows[name] = _where(self._branches[name], cursor, self._rows.read, [])
            elif name == "source":
                source = self._source.read_all(cursor)
            elif name == "transaction" and self._transaction is not None:
                branch, block = self._transaction
                at = cursor.at
                found, which = _where(branch, cursor, block.read_all, dict[str, Raw]())
                if found:
                    transaction_id = found["id"] if which is None else found["id"].spread(which, at)
            else:
                read[name] = self._nodes[name].read(cursor)
        sound = closed(cursor)
        committed_at, is_instant = _committed(source)
        observed_at, is_observed = _observed(read, len(window))
        codes = _op_codes(window, read["op"])
        sound &= is_instant & is_observed & (codes >= 0)
        after, before = (self._finished(window, *rows[name], sound) for name in ("after", "before"))
        sound = after.sound & before.sound & (after.present | (_NEEDS_AFTER[codes] == 0))
        ids = nulls(len(window), pa.string())
        if transaction_id is not None:
            trusted = sound if transaction_id.valid is None else sound & transaction_id.valid
            ids, broken = of_text(window, transaction_id, trusted)
            if broken is not None:
                sound = sound & ~broken
        return Envelopes(
            sound, Coded(OPS, np.maximum(codes, 0)), committed_at, observed_at, ids, after, before
        )

    def _finished(self, window: Window, raws: list[Raw], which: Ints | None, sound: Bools) -> Rows:
        if which is not None and not len(which):
            return self._rows.none(len(window), sound)
        return self._rows.finish(window, raws, which, sound)


_SOURCE: Final = frozenset({"connector", "name", "db", "table", "ts_ms"})
_TRANSACTION: Final = frozenset({"id", "total_order", "data_collection_order"})
_BLOCKS: Final = frozenset({"before", "after", "source", "transaction"})
_CODES: Final[Codes] = np.full(256, -1, np.int32)
for _number, _op in enumerate(OPS):
    _CODES[ord(_op.code)] = _number
_NEEDS_AFTER: Final = np.array([op in (Op.CREATE, Op.UPDATE, Op.SNAPSHOT) for op in OPS], np.bool_)


def _choice(avro: AvroType) -> tuple[Branch | None, AvroType]:
    """A union's branch that is not null, and how it is told; None for what is no union."""
    if isinstance(avro, str | Mapping):
        return None, avro
    value, null = branches_of(avro)
    return Branch(value, null), cast(AvroType, avro[value])


def _block(avro: AvroType, needed: frozenset[str], wanted: set[str]) -> Fields:
    """A record of which only the wanted fields are kept; they are what the reference takes for granted."""
    if not isinstance(avro, Mapping) or avro.get("type") != "record":
        raise NotColumnar("a block that is no record")
    fields = cast(list[dict[str, Any]], avro["fields"])
    if not needed <= {field["name"] for field in fields}:
        raise NotColumnar("a block without what an event needs")
    return Fields(
        [
            (
                f["name"],
                _node(f["name"], f["type"]) if f["name"] in wanted else node_of(f["type"], skipped=True),
            )
            for f in fields
        ]
    )


def _node(name: str, avro: AvroType) -> Node:
    """The node of a field of the envelope or its blocks; those that count are of the types that Debezium has."""
    if name not in _WANTED:
        return node_of(avro, skipped=True)
    branch, of = _choice(avro)
    base = of.get("type") if isinstance(of, Mapping) else of
    is_logical = isinstance(of, Mapping) and "logicalType" in of
    if base not in _WANTED[name] or is_logical or (branch is not None and base == "string"):
        raise NotColumnar("a block of other types than Debezium's")
    return node_of(avro)


_WHOLE: Final = frozenset({"int", "long"})
_WANTED: Final = {
    "op": frozenset({"string"}),
    "id": frozenset({"string"}),
    "ts_ms": _WHOLE,
    "ts_us": _WHOLE,
    "ts_ns": _WHOLE,
}

T = TypeVar("T")


def _where(
    branch: Branch | None, cursor: Cursor, read: Callable[[Cursor], T], nothing: T
) -> tuple[T, Ints | None]:
    """What is read where the branch is not null, and where that is; None for everywhere."""
    which = None if branch is None else branch.read(cursor)
    if which is None:
        return read(cursor), None
    if not len(which):
        return nothing, which
    some = cursor.some(which)
    found = read(some)
    cursor.join(which, some)
    return found, which


def _committed(source: Mapping[str, Raw]) -> tuple[Ints, Bools]:
    """Microseconds since 1970, and whether a calendar has them."""
    millis, micros = source["ts_ms"], source.get("ts_us")
    fits = (millis.values >= _FIRST // 1000) & (millis.values < _END // 1000)
    if millis.valid is not None:
        fits &= millis.valid
    if micros is None:
        return millis.values * 1000, fits
    exact = (micros.values >= _FIRST) & (micros.values < _END)
    if micros.valid is None:
        return micros.values, exact
    return np.where(micros.valid, micros.values, millis.values * 1000), np.where(micros.valid, exact, fits)


def _observed(read: Mapping[str, Raw], count: int) -> tuple[Ints, Bools]:
    """Microseconds since 1970 out of nanoseconds, or of milliseconds where those are null or 0."""
    nanos, millis = read.get("ts_ns"), read.get("ts_ms")
    observed, fits = np.zeros(count, np.int64), np.ones(count, np.bool_)
    if millis is not None:
        there = millis.values if millis.valid is None else np.where(millis.valid, millis.values, 0)
        fits = (there >= _FIRST // 1000) & (there < _END // 1000)
        observed = there * 1000
    if nanos is None:
        return observed, fits
    counts = nanos.values != 0 if nanos.valid is None else (nanos.values != 0) & nanos.valid
    return np.where(counts, nanos.values // 1000, observed), counts | fits


def _op_codes(window: Window, op: Raw) -> Codes:
    """The number of each operation; -1 for a letter that is none."""
    codes = _CODES.take(window.byte(op.values))
    return codes if op.lengths is None else np.where(op.lengths == 1, codes, -1)
