"""Many rows of one record schema as Arrow columns, and the keys of a topic, which are such rows.

Fetches no schema and judges no header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stenograph.envelope.columnar.arrays import (
    Array,
    any_of,
    chained,
    grown,
    nulls,
)
from stenograph.envelope.columnar.columns import ReadColumn, column_of
from stenograph.envelope.columnar.framed import closed, opened, windows
from stenograph.envelope.columnar.nodes import Raw
from stenograph.envelope.columnar.window import Cursor, Window
from stenograph.envelope.reading import KeyReader
from stenograph.envelope.table import WireColumn
from stenograph.packing import Bools, Ints
from stenograph.schemas import AvroType, SchemaId, resolved


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as columns, one place for each record.

    `columns` are in history's types, in the order of the schema's columns. `present` says where there is a row at
    all, `sound` where it could be read. `refused` has for each column where its value is one that the converter
    refuses; None is nowhere. A refused value is null in its column, as are all of a row that is not present. Trap:
    where a row is not sound, everything else about it means nothing.
    """

    columns: tuple[Array, ...]
    present: Bools
    sound: Bools
    refused: tuple[Bools | None, ...]

    @property
    def unstorable(self) -> Bools:
        """Where the converter refuses any of the row's values."""
        nowhere = np.zeros(len(self.present), np.bool_)
        return reduce(np.logical_or, (each for each in self.refused if each is not None), nowhere)

    def __len__(self) -> int:
        return len(self.present)


class RowColumns:
    """How the columns of one record schema are read; raise NotColumnar if one cannot be."""

    def __init__(self, record: Mapping[str, object], columns: Sequence[WireColumn]) -> None:
        fields = cast(list[dict[str, AvroType]], record["fields"])
        self.columns: tuple[ReadColumn, ...] = tuple(
            column_of(column, field["type"]) for column, field in zip(columns, fields, strict=True)
        )

    def read(self, cursor: Cursor) -> list[Raw]:
        """Move the cursor over the row."""
        return [column.node.read(cursor) for column in self.columns]

    def finish(self, window: Window, raws: Sequence[Raw], which: Ints | None, sound: Bools) -> Rows:
        """The rows of a window; `which` are the records that have one, None for all."""
        trusted = sound if which is None else sound[which]
        made = [
            column.finish(window, raw, None if trusted.all() else trusted)
            for column, raw in zip(self.columns, raws, strict=True)
        ]
        unread: Bools | None = None
        for each in made:
            unread = any_of(unread, each.unread)
        arrays = [each.array for each in made]
        refused = [each.refused for each in made]
        present = np.ones(len(window), np.bool_)
        if which is not None:
            present = np.zeros(len(window), np.bool_)
            present[which] = True
            arrays = [_spread(array, which, len(window)) for array in arrays]
            refused = [grown(which, each, len(window)) for each in refused]
            unread = grown(which, unread, len(window))
        return Rows(tuple(arrays), present, sound if unread is None else sound & ~unread, tuple(refused))

    def none(self, count: int, sound: Bools) -> Rows:
        """No row in any of so many records."""
        nowhere = np.zeros(count, np.bool_)
        arrays = tuple(nulls(count, column.type) for column in self.columns)
        return Rows(arrays, nowhere, sound, (None,) * len(arrays))

    def joined(self, parts: Sequence[Rows]) -> Rows:
        """The rows of one window behind those of the other."""
        if len(parts) == 1:
            return parts[0]
        columns = tuple(
            chained([part.columns[number] for part in parts], column.type)
            for number, column in enumerate(self.columns)
        )
        refused = tuple(
            joined_truths([part.refused[n] for part in parts], [len(part) for part in parts])
            for n in range(len(self.columns))
        )
        return Rows(
            columns,
            np.concatenate([np.zeros(0, np.bool_), *(part.present for part in parts)]),
            np.concatenate([np.zeros(0, np.bool_), *(part.sound for part in parts)]),
            refused,
        )


class ColumnarKeys:
    """Reads the keys of one writer schema, many at once; `columns` are the key's, by their own names, in order.

    With an id, a key that names another schema is not sound. Raise RecordUnreadable as `KeyReader` does, and
    NotColumnar for a schema that is not read like this.
    """

    def __init__(self, schema: str, schema_id: SchemaId | None = None) -> None:
        reader = KeyReader(schema)
        self.columns = reader.columns
        self.wire = reader.wire
        self._rows = RowColumns(resolved(json.loads(schema)), reader.wire)
        self._id = schema_id

    def read(self, keys: pa.LargeBinaryArray) -> Rows:
        """The rows that the keys are; no null in `keys`."""
        parts = []
        for window in windows(keys):
            cursor = opened(window, self._id)
            raws = self._rows.read(cursor)
            parts.append(self._rows.finish(window, raws, None, closed(cursor)))
        return self._rows.joined(parts)


def joined_truths(parts: Sequence[Bools | None], lengths: Sequence[int]) -> Bools | None:
    """The truths one behind the other; None for what is nowhere."""
    if all(part is None for part in parts):
        return None
    whole = [
        np.zeros(length, np.bool_) if part is None else part
        for part, length in zip(parts, lengths, strict=True)
    ]
    return np.concatenate(whole)


def _spread(array: Array, which: Ints, count: int) -> Array:
    places = np.zeros(count, np.int64)
    places[which] = np.arange(len(which))
    there = np.zeros(count, np.bool_)
    there[which] = True
    return pc.take(array, pa.array(places, pa.int64(), mask=~there), boundscheck=False)
