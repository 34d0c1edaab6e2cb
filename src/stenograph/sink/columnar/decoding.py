"""The records of a batch that share their schemas, decoded together, and which of them are plain enough to go on so.

Maps nothing onto history: knows wire columns only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stenograph.envelope.columnar import ColumnarEvents, ColumnarKeys, Envelopes, Rows
from stenograph.envelope.table import WireColumn
from stenograph.events import Op
from stenograph.packing import Bools, Coded, Codes, Ints
from stenograph.sink.columnar.survey import NO_MESSAGE, Survey, chosen
from stenograph.sink.readers import Readers


@dataclass(frozen=True, slots=True)
class Decoded:
    """Records of one value schema and one key schema; `places` are their numbers in the batch, ascending.

    `sure` says which of them mean what their columns say. `full` are those whose whole `before` is real, `by_key` the
    deletes of which only the key is known, `unsent` the columns that some records did not send.
    """

    places: Ints
    reader: ColumnarEvents
    events: Envelopes
    key_columns: tuple[str, ...]
    keys: Rows | None
    codes: Codes
    """The records' choices among the batch's headers."""
    full: Bools
    by_key: Bools
    unsent: Mapping[str, Bools]
    sure: Bools


def decoded(readers: Readers, seen: Survey, candidates: Bools) -> Iterator[Decoded]:
    """The candidates, group by group; whatever cannot be read like this is in no group."""
    for value_id, key_id, places in _groups(seen, candidates):
        reader = readers.columnar_events(value_id)
        key_reader = None if key_id == NO_MESSAGE else readers.columnar_keys(key_id)
        if reader is None or (key_reader is None and key_id != NO_MESSAGE):
            continue
        events = reader.read(_picked(seen.values, places))
        keys = None if key_reader is None else key_reader.read(_picked(seen.keys, places))
        yield _judged(seen, places, reader, events, key_reader, keys)


def _groups(seen: Survey, candidates: Bools) -> Iterator[tuple[int, int, Ints]]:
    places = np.flatnonzero(candidates)
    value_ids, key_ids = seen.value_ids[places], seen.key_ids[places]
    while len(places):
        alike = (value_ids == value_ids[0]) & (key_ids == key_ids[0])
        yield int(value_ids[0]), int(key_ids[0]), places[alike]
        places, value_ids, key_ids = places[~alike], value_ids[~alike], key_ids[~alike]


def _picked(messages: pa.LargeBinaryArray, places: Ints) -> pa.LargeBinaryArray:
    return messages if len(places) == len(messages) else messages.take(places)


def _judged(
    seen: Survey,
    places: Ints,
    reader: ColumnarEvents,
    events: Envelopes,
    key_reader: ColumnarKeys | None,
    keys: Rows | None,
) -> Decoded:
    headers = Coded(seen.headers.choices, seen.headers.codes[places])
    is_delete = _is(events.op, Op.DELETE)
    full = events.before.present & chosen([facts.before_is_full for facts in seen.facts], headers)
    by_key = is_delete & ~full
    names = [column.name for column in reader.columns]
    known = chosen([set(facts.unchanged) <= set(names) for facts in seen.facts], headers)
    unsent = {
        name: mask
        for name in {name for facts in seen.facts for name in facts.unchanged}
        if (mask := chosen([name in facts.unchanged for facts in seen.facts], headers) & ~is_delete).any()
    }
    # A truncate has no row, and a delete that says what comes after it is no plain one.
    sure = events.sound & known & ~_is(events.op, Op.TRUNCATE) & ~(is_delete & events.after.present)
    for name, refused in zip(names, events.after.refused, strict=True):
        if refused is not None:
            sure &= ~refused | unsent.get(name, False)
    for refused in events.before.refused:
        if refused is not None:
            sure &= ~(refused & full)
    if keys is not None:
        sure &= keys.sound
    if by_key.any():
        sure &= ~by_key | _names_its_row(reader, key_reader, keys)
    key_columns = () if key_reader is None else key_reader.columns
    return Decoded(places, reader, events, key_columns, keys, headers.codes, full, by_key, unsent, sure)


def _is(ops: Coded[Op], op: Op) -> Bools:
    return chosen([choice is op for choice in ops.choices], ops)


def _names_its_row(
    reader: ColumnarEvents, key_reader: ColumnarKeys | None, keys: Rows | None
) -> Bools | bool:
    """Where the key's own columns are what the row's columns of those names would hold."""
    if key_reader is None or keys is None:
        return False
    columns = {column.name: _type(column) for column in reader.columns}
    if any(columns.get(column.name) != _type(column) for column in key_reader.wire):
        return False
    return ~keys.unstorable


def _type(column: WireColumn) -> object:
    avro = column.avro
    return (
        {k: v for k, v in avro.items() if k != "connect.default"}
        if isinstance(avro, Mapping)
        else {"type": avro}
    )
