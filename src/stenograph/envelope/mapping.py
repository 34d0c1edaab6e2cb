"""Maps a table's wire rows onto the columns of its history table, with or without a model.

Loses nothing: a column outside the model goes to `_steno_extra`; a mapping that would lose something is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stenograph.envelope.casts import Cast, lossless
from stenograph.envelope.json_text import json_object, json_text
from stenograph.envelope.table import WireColumn
from stenograph.envelope.values import Convert, converter
from stenograph.errors import SchemaConflict
from stenograph.events import Missing, Row
from stenograph.schemas import Column, ColumnType, TablePlan, TableShape, UnknownAvroType, column_type


@dataclass(frozen=True, slots=True)
class MappedRow:
    """A row as history stores it: values by history column, what lies outside the model, what was not sent."""

    values: dict[str, object]
    extra: str | None
    unchanged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Target:
    source: str
    column: Column
    convert: Convert


class RowMapping:
    """One writer schema's columns mapped onto the plan's history table.

    `shape` is what this schema needs of the history table; `key` is None where the record does not say, as a truncate
    cannot. Raise SchemaConflict if the columns cannot be mapped
    onto the model without loss, if a required field or the key is missing, or if a name is one of our own.
    """

    def __init__(self, plan: TablePlan, columns: Sequence[WireColumn], key: Sequence[str] | None) -> None:
        self._plan = plan
        self._targets: list[_Target] = []
        self._extra: list[tuple[str, Convert, ColumnType]] = []
        if plan.model is None:
            self._own_shape(columns, key)
        else:
            self._model_shape(columns, key)

    shape: TableShape

    @property
    def columns(self) -> frozenset[str]:
        """The history columns that this writer schema has values for; the others of `shape` are null."""
        return frozenset(target.column.name for target in self._targets)

    def row(self, wire: Row) -> MappedRow:
        """The row's values; raise ValueOutOfRange where a column cannot hold one."""
        values: dict[str, object] = {}
        unchanged: list[str] = []
        for target in self._targets:
            value = wire.get(target.source)
            if value is Missing.UNCHANGED:
                unchanged.append(target.column.name)
                value = None
            values[target.column.name] = None if value is None else target.convert(value)
        return MappedRow(values, self._extra_json(wire, unchanged), tuple(unchanged))

    def key_only(self, wire: Row) -> MappedRow:
        """The row's key columns, the others null."""
        values: dict[str, object] = {}
        for target in self._targets:
            value = wire.get(target.source) if target.column.name in self.shape.key else None
            values[target.column.name] = None if value is None else target.convert(value)
        return MappedRow(values, None, ())

    def related_key(self, key: Mapping[str, object]) -> str:
        """The other key of a key change, as JSON text with the history table's column names.

        `key` is the key-change header's JSON, whose values are plain already.
        """
        names = {target.source: target.column.name for target in self._targets}
        return json.dumps(
            {names.get(name, name): value for name, value in key.items()},
            separators=(",", ":"),
            ensure_ascii=False,
        )

    def notes(self, texts: Mapping[str, str]) -> str | None:
        """Exact texts of values that their columns cannot hold, by history column, as JSON text; None if none."""
        if not texts:
            return None
        names = {target.source: target.column.name for target in self._targets}
        return json.dumps({names.get(name, name): text for name, text in texts.items()}, ensure_ascii=False)

    def before_json(self, wire: Row) -> str:
        """A before image as JSON text, columns outside the model included."""
        sent = (
            *((target.source, target.convert, target.column.type) for target in self._targets),
            *self._extra,
        )
        return json_object(
            {
                name: _text(wire.get(name), convert, of)
                for name, convert, of in sent
                if wire.get(name) is not Missing.UNCHANGED
            }
        )

    def _extra_json(self, wire: Row, unchanged: list[str]) -> str | None:
        if not self._extra:
            return None
        sent: dict[str, str] = {}
        for name, convert, of in self._extra:
            value = wire.get(name)
            if value is Missing.UNCHANGED:
                unchanged.append(name)
            else:
                sent[name] = _text(value, convert, of)
        return json_object(sent)

    def _own_shape(self, columns: Sequence[WireColumn], key: Sequence[str] | None) -> None:
        for wire in columns:
            if wire.name.lower().startswith("_steno_"):
                raise SchemaConflict(
                    "A column of the source has a name that history keeps for itself.",
                    hint="Rename the column in the source, or map the table onto a model.",
                    topic=self._plan.topic,
                    table=self._plan.table,
                    column=wire.name,
                )
            of, convert = self._typed(wire)
            self._targets.append(_Target(wire.name, Column(wire.name, of), convert))
        self.shape = TableShape(tuple(target.column for target in self._targets), tuple(key or ()))

    def _model_shape(self, columns: Sequence[WireColumn], key: Sequence[str] | None) -> None:
        model = self._plan.model
        assert model is not None
        renames = self._plan.renames
        by_field = {renames.get(wire.name, wire.name): wire for wire in columns}
        for field in model.shape.columns:
            wire = by_field.pop(field.name, None)
            if wire is None:
                if field.name in model.required:
                    raise self._conflict("has no column for a required field of its model", field.name)
                continue
            of, convert = self._typed(wire)
            cast_ = lossless(of, field.type)
            if cast_ is None:
                raise self._conflict(
                    f"has a column of type {of} for a field of type {field.type}, which would lose values",
                    field.name,
                )
            self._targets.append(_Target(wire.name, field, _chained(convert, cast_)))
        mapped_key = model.shape.key if key is None else tuple(renames.get(name, name) for name in key)
        if set(mapped_key) != set(model.shape.key):
            raise self._conflict(f"has the key {mapped_key} where its model has", ", ".join(model.shape.key))
        for wire in by_field.values():
            of, convert = self._typed(wire)
            self._extra.append((wire.name, convert, of))
        self.shape = model.shape

    def _typed(self, wire: WireColumn) -> tuple[ColumnType, Convert]:
        try:
            return column_type(wire.avro), converter(wire.avro)
        except UnknownAvroType as cause:
            raise SchemaConflict(
                "A column's Avro type is one that no history column can hold.",
                hint="Leave the column out at the capturer, or open an issue with the type.",
                topic=self._plan.topic,
                table=self._plan.table,
                column=wire.name,
                type=cause,
            ) from cause

    def _conflict(self, what: str, field: str) -> SchemaConflict:
        model = self._plan.model
        assert model is not None
        return SchemaConflict(
            f"Table {self._plan.table} {what}.",
            hint=f"Change `map` of the table in the pipeline file, or add schemas/{model.name}/"
            f"v{model.version + 1}.avsc.",
            topic=self._plan.topic,
            table=self._plan.table,
            model=f"{model.name} v{model.version}",
            field=field,
        )


def _chained(first: Convert, second: Cast) -> Convert:
    if second.is_identity:
        return first
    return lambda value: second.value(first(value))


def _text(value: object, convert: Convert, of: ColumnType) -> str:
    return "null" if value is None else json_text(convert(value), of)
