"""Brings mapped rows into the shape that their history table has, whatever shape their writer's schema has.

Loses nothing and changes no table: what the table has no column for goes to `_steno_extra`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stenograph.envelope.casts import Cast, is_cast_up, lossless
from stenograph.envelope.json_text import json_object, json_text
from stenograph.envelope.mapping import MappedRow, RowMapping, Target
from stenograph.schemas import Column, ColumnType, Kind, TableShape

_TEXT = ColumnType(Kind.TEXT)


@dataclass(frozen=True, slots=True)
class FittedRow:
    """A row's values by history column, and the JSON objects of `_steno_extra` and `_steno_notes`."""

    values: dict[str, object]
    extra: str | None
    notes: str | None


class Fit:
    """One mapping's rows in one shape of their history table.

    `casts` take the mapping's values, by its column, to the table's type; `misfits` are the targets for which the
    table has no column that holds their values: these stand in `_steno_extra` under their source's name.
    """

    def __init__(self, mapping: RowMapping, shape: TableShape) -> None:
        self._shape = shape
        self.casts: Mapping[str, Cast] = {
            column.name: cast
            for column in mapping.shape.columns
            if (cast := _cast(column, shape.column(column.name))) is not None
        }
        self.misfits: tuple[Target, ...] = tuple(
            target for target in mapping.targets if target.column.name not in self.casts
        )

    def row(self, mapped: MappedRow) -> FittedRow:
        """The row as the table holds it; columns of the table that it does not name are null."""
        values = {
            name: None if value is None else self.casts[name].value(value)
            for name, value in mapped.values.items()
            if name in self.casts
        }
        extra = dict(mapped.outside or {})
        for target in self.misfits:
            name = target.column.name
            if name in mapped.values and name not in mapped.unchanged:
                extra[target.source] = json_text(mapped.values[name], target.column.type)
        notes = dict(mapped.notes)
        for target, text in mapped.texts:
            if self._shape.column(target.text.name) == target.text:
                values[target.text.name] = text
            else:
                # The exact text is worth more than the null that stands for it.
                extra[target.text.name] = json_text(text, _TEXT)
                notes[target.column.name] += f"; its text is {target.text.name} in _steno_extra"
        has_extra = bool(extra) or mapped.outside is not None
        return FittedRow(values, json_object(extra) if has_extra else None, _notes(notes))


def _cast(column: Column, there: Column | None) -> Cast | None:
    if there is None or there.text_of is not None or not is_cast_up(column.type, there):
        return None
    return lossless(column.type, there.type)


def _notes(notes: Mapping[str, str]) -> str | None:
    return json_object({name: json_text(note, _TEXT) for name, note in notes.items()}) if notes else None
