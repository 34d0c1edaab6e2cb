"""Maps a table's wire rows onto the columns of its history table, with or without a model.

Loses nothing: a column outside the model goes to `_steno_extra`, a value that its column cannot hold keeps its exact
text; a mapping that would lose something is refused.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from stenograph.envelope.casts import Cast, lossless
from stenograph.envelope.exact_text import exact_text
from stenograph.envelope.json_text import json_object, json_text
from stenograph.envelope.table import WireColumn
from stenograph.envelope.values import Convert, converter
from stenograph.errors import SchemaConflict, ValueOutOfRange
from stenograph.events import Missing, Row
from stenograph.schemas import (
    AvroType,
    Column,
    ColumnType,
    Evolution,
    Kind,
    TablePlan,
    TableShape,
    UnknownAvroType,
    ValuePolicy,
    column_type,
)

_TEXT = ColumnType(Kind.TEXT)
_NO_TEXTS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Outside:
    """A wire column outside the model: `convert` makes its values those of the type `of`, for `_steno_extra`."""

    source: str
    avro: AvroType
    of: ColumnType
    convert: Convert


@dataclass(frozen=True, slots=True)
class Target:
    """A wire column and the history column that it fills: `cast` takes what `convert` makes of its values.

    `text` is the column for the exact text of a value that this one cannot hold; `policy` says whether it is used.
    """

    source: str
    column: Column
    avro: AvroType
    of: ColumnType
    convert: Convert
    cast: Cast
    text: Column
    policy: ValuePolicy


@dataclass(frozen=True, slots=True)
class MappedRow:
    """A row in the columns of its mapping; `envelope.fit` brings it into the history table's own shape.

    `outside` holds JSON texts of the columns outside the model by their names at the source, None where there is no
    such column. `texts` are the exact texts of values that their columns cannot hold, by target; `notes` say why, by
    column.
    """

    values: dict[str, object]
    outside: dict[str, str] | None
    unchanged: tuple[str, ...]
    texts: tuple[tuple[Target, str], ...] = ()
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def extra(self) -> str | None:
        """The columns outside the model as one JSON object's text."""
        return None if self.outside is None else json_object(self.outside)


class RowMapping:
    """One writer schema's columns mapped onto the plan's history table.

    `targets` are the wire columns that have a history column, `outside` those that have none, `defaults` the history
    values of model fields that no column fills. `shape` is what this schema needs of the history table, without
    columns for exact texts; its key is () where the record does not say, as a truncate cannot.
    Raise SchemaConflict if the columns cannot be mapped onto the model without loss, if a required field or the key is
    missing, or if a name is one of our own.
    """

    def __init__(self, plan: TablePlan, columns: Sequence[WireColumn], key: Sequence[str] | None) -> None:
        self._plan = plan
        self._names = {wire.name.lower() for wire in columns}
        if plan.model is not None:
            self._names |= {column.name.lower() for column in plan.model.shape.columns}
        self.targets: tuple[Target, ...] = ()
        self.outside: tuple[Outside, ...] = ()
        self.defaults: Mapping[str, object] = {}
        if plan.model is None:
            self._own_shape(columns, key)
        else:
            self._model_shape(columns, key)

    shape: TableShape

    @property
    def columns(self) -> frozenset[str]:
        """The history columns that this writer schema has values for; of the others of `shape` it says nothing."""
        return frozenset(target.column.name for target in self.targets)

    def row(self, wire: Row, texts: Mapping[str, str] = _NO_TEXTS) -> MappedRow:
        """The row's values; `texts` are the source's own texts of values that are null on the wire, by column.

        Raise ValueOutOfRange where a column cannot hold a value that may not stand as a text beside it.
        """
        values: dict[str, object] = dict(self.defaults)
        unchanged: list[str] = []
        unheld: list[tuple[Target, str]] = []
        for target in self.targets:
            value, name = wire.get(target.source), target.column.name
            values[name] = None
            if value is Missing.UNCHANGED:
                unchanged.append(name)
                continue
            text = texts.get(target.source)
            if text is None and value is not None:
                try:
                    values[name] = target.cast.value(target.convert(value))
                except ValueOutOfRange:
                    text = exact_text(value, target.avro)
            if text is not None:
                if target.policy is ValuePolicy.QUARANTINE:
                    raise _unheld(target)
                unheld.append((target, text))
        notes = {target.column.name: _reason(target.column.type) for target, _ in unheld}
        outside = self._outside_texts(wire, texts, unchanged, notes)
        return MappedRow(values, outside, tuple(unchanged), tuple(unheld), notes)

    def key_only(self, wire: Row) -> MappedRow:
        """The row's key columns and no others. Raise ValueOutOfRange where a column cannot hold a key's value."""
        values: dict[str, object] = {}
        for target in self.targets:
            if target.column.name in self.shape.key:
                value = wire.get(target.source)
                values[target.column.name] = (
                    None if value is None else target.cast.value(target.convert(value))
                )
        return MappedRow(values, None, ())

    def related_key(self, key: Mapping[str, object]) -> str:
        """The other key of a key change, as JSON text with the history table's column names.

        `key` is the key-change header's JSON, whose values are plain already.
        """
        names = {target.source: target.column.name for target in self.targets}
        return json.dumps(
            {names.get(name, name): value for name, value in key.items()},
            separators=(",", ":"),
            ensure_ascii=False,
        )

    def before_json(self, wire: Row, texts: Mapping[str, str] = _NO_TEXTS) -> str:
        """A before image as JSON text, columns outside the model included, exact texts for what no column can hold."""
        every: tuple[Target | Outside, ...] = (*self.targets, *self.outside)
        return json_object(
            {
                sent.source: _text(sent, wire.get(sent.source), texts)
                for sent in every
                if wire.get(sent.source) is not Missing.UNCHANGED
            }
        )

    def _outside_texts(
        self, wire: Row, texts: Mapping[str, str], unchanged: list[str], notes: dict[str, str]
    ) -> dict[str, str] | None:
        if not self.outside:
            return None
        sent: dict[str, str] = {}
        for each in self.outside:
            value = wire.get(each.source)
            if value is Missing.UNCHANGED:
                unchanged.append(each.source)
                continue
            sent[each.source] = _text(each, value, texts)
            if each.source in texts or (value is not None and not _is_held(each, value)):
                notes.setdefault(each.source, _reason(each.of))
        return sent

    def _own_shape(self, columns: Sequence[WireColumn], key: Sequence[str] | None) -> None:
        made = []
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
            made.append((wire, Column(wire.name, of), of, convert))
        self.shape = TableShape(tuple(column for _, column, _, _ in made), tuple(key or ()))
        self.targets = tuple(self._target(*each) for each in made)

    def _model_shape(self, columns: Sequence[WireColumn], key: Sequence[str] | None) -> None:
        model = self._plan.model
        assert model is not None
        self.shape = model.shape
        renames = self._plan.renames
        by_field = {renames.get(wire.name, wire.name): wire for wire in columns}
        targets, defaults = [], {}
        for column in model.shape.columns:
            wire = by_field.pop(column.name, None)
            if wire is None:
                if column.name in model.required:
                    raise self._conflict(
                        f"Table {self._plan.table} has no column for a required field of its model.",
                        column.name,
                    )
                if column.name in model.defaults:
                    defaults[column.name] = self._default(column)
                continue
            of, convert = self._typed(wire)
            if lossless(of, column.type) is not None:
                targets.append(self._target(wire, column, of, convert))
            elif self._may_stay_outside(column):
                by_field[wire.name] = wire
            else:
                raise self._conflict(
                    f"Table {self._plan.table} has a column of type {of} for a field of type {column.type}, "
                    "which would lose values.",
                    column.name,
                )
        mapped_key = model.shape.key if key is None else tuple(renames.get(name, name) for name in key)
        if set(mapped_key) != set(model.shape.key):
            raise self._conflict(
                f"Table {self._plan.table} has another key than its model: {', '.join(mapped_key) or 'none'}.",
                ", ".join(model.shape.key),
            )
        self.targets, self.defaults = tuple(targets), defaults
        self.outside = tuple(
            Outside(wire.name, wire.avro, *self._typed(wire)) for wire in columns if wire in by_field.values()
        )

    def _may_stay_outside(self, column: Column) -> bool:
        model = self._plan.model
        assert model is not None
        needed = column.name in model.required or column.name in model.shape.key
        return self._plan.evolution is Evolution.IGNORE and not needed

    def _default(self, column: Column) -> object:
        model = self._plan.model
        assert model is not None
        default = model.defaults[column.name]
        try:
            return converter(default.avro)(default.datum)
        except ValueOutOfRange as cause:
            raise self._conflict(
                f"Table {self._plan.table} would get a default that {column.type} cannot hold.", column.name
            ) from cause

    def _target(self, wire: WireColumn, column: Column, of: ColumnType, convert: Convert) -> Target:
        cast = lossless(of, column.type)
        assert cast is not None
        # A row whose key is not known belongs to no life.
        is_key = column.name in self.shape.key
        policy = ValuePolicy.QUARANTINE if is_key else self._plan.value_policy(column.name)
        text = Column(text_column(column.name, self._names), _TEXT, text_of=column.name)
        return Target(wire.name, column, wire.avro, of, convert, cast, text, policy)

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

    def _conflict(self, sentence: str, name: str) -> SchemaConflict:
        model = self._plan.model
        assert model is not None
        return SchemaConflict(
            sentence,
            hint=f"Change `map` of the table in the pipeline file, or add schemas/{model.name}/"
            f"v{model.version + 1}.avsc.",
            topic=self._plan.topic,
            table=self._plan.table,
            model=f"{model.name} v{model.version}",
            field=name,
        )


def text_column(name: str, taken: Collection[str]) -> str:
    """The name of the column for exact texts: `<column>__text`, with `_` behind it while that is taken."""
    text = f"{name}__text"
    while text.lower() in taken:
        text += "_"
    return text


def _unheld(target: Target) -> ValueOutOfRange:
    return ValueOutOfRange(
        "A value in this record is one that the history column cannot hold.",
        hint="The record is in quarantine with its exact bytes; change the column's type in the source or the model, "
        "or set `unheld: text` for a column that is no key.",
        column=target.column.name,
        type=target.column.type,
    )


def _reason(of: ColumnType) -> str:
    return f"{of} cannot hold it"


def _is_held(sent: Outside, value: object) -> bool:
    try:
        sent.convert(value)
    except ValueOutOfRange:
        return False
    return True


def _text(sent: Target | Outside, value: object, texts: Mapping[str, str]) -> str:
    if sent.source in texts:
        return json_text(texts[sent.source], _TEXT)
    if value is None:
        return "null"
    try:
        return json_text(sent.convert(value), sent.of)
    except ValueOutOfRange:
        return json_text(exact_text(value, sent.avro), _TEXT)
