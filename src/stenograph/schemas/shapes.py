"""Shapes: the types that history columns have, a table's columns, and what a table becomes.

Knows neither Avro's nor any warehouse's words for a type.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from stenograph.events import TableId

AvroType = str | Mapping[str, object] | Sequence[object]
"""A type as `json.loads` gives it: a name, a record or annotated type, or a union."""

SchemaId = int
"""A registry's number for a schema; local to that registry, so history keeps the fingerprint instead."""


class Kind(StrEnum):
    """What a column's values are, whatever the source or the warehouse calls it."""

    BOOLEAN = "boolean"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    DECIMAL = "decimal"
    """Exact number with the type's `precision` (at most 38) and `scale`."""
    NUMBER_TEXT = "number text"
    """Exact number of any scale, kept as its text because no warehouse column holds them all."""
    TEXT = "text"
    UUID = "uuid"
    JSON = "json"
    BYTES = "bytes"
    DATE = "date"
    TIMESTAMP = "timestamp"
    """Without time zone, microseconds."""
    TIMESTAMPTZ = "timestamptz"
    """An instant in UTC, microseconds."""
    TIME = "time"
    DURATION = "duration"
    """Microseconds."""
    LIST = "list"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A kind with its parameters; `precision` and `scale` only for DECIMAL, `element` only for LIST."""

    kind: Kind
    precision: int | None = None
    scale: int | None = None
    element: ColumnType | None = None

    @classmethod
    def of_text(cls, text: str) -> ColumnType:
        """The inverse of `str`; raise ValueError for text that is none."""
        if text.endswith("[]"):
            return cls(Kind.LIST, element=cls.of_text(text.removesuffix("[]")))
        if text.startswith("decimal("):
            precision, _, scale = text.removeprefix("decimal(").removesuffix(")").partition(",")
            return cls(Kind.DECIMAL, int(precision), int(scale))
        return cls(Kind(text))

    def __str__(self) -> str:
        if self.kind is Kind.DECIMAL:
            return f"decimal({self.precision},{self.scale})"
        if self.kind is Kind.LIST:
            return f"{self.element}[]"
        return self.kind.value


@dataclass(frozen=True, slots=True)
class Lift:
    """How the views read a column in rows that were stored before the table had it.

    `source` is the name under which such a row's `_steno_extra` has the value. Where it has none, a row of a model
    version below `since` has `default`, as text that the warehouse casts; None is null.
    """

    source: str
    since: int | None = None
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a history table. All are nullable there: a delete row holds little more than the key.

    `text_of` names the column whose exact texts this one holds; None for a column of the source or a model. What a
    warehouse remembers of a column makes it no other column: `held` are the narrower types that it had before,
    whose rows are still cast up, and `lift` is how older rows are read.
    """

    name: str
    type: ColumnType
    text_of: str | None = None
    held: tuple[ColumnType, ...] = field(default=(), compare=False)
    lift: Lift | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class TableShape:
    """A history table's source columns, in order, and the names of those that are the key.

    `key` is empty for a table without a primary key. What a warehouse remembers makes it no other shape: `held_keys`
    are the keys that it had before.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...]
    held_keys: tuple[tuple[str, ...], ...] = field(default=(), compare=False)

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """What must be true of a history table before the next rows are stored: these columns exist, as wide as this.

    Safe to apply again: a table that is there is kept, a column that is there or wider is kept. `widens` are the
    columns, with their new types, whose values are cast without loss.
    """

    table: str
    shape: TableShape
    adds: tuple[Column, ...]
    tracked: tuple[str, ...] = ()
    widens: tuple[Column, ...] = ()


class Evolution(StrEnum):
    """What happens to a history table when its source or its model takes another shape."""

    EVOLVE = "evolve"
    """Columns are added, types are widened without loss; what cannot be widened pauses the table."""
    FREEZE = "freeze"
    """The table pauses until somebody runs `steno apply`."""
    IGNORE = "ignore"
    """The table keeps its shape: what does not fit goes to `_steno_extra`."""


class ValuePolicy(StrEnum):
    """What happens to a value that its history column cannot hold."""

    TEXT = "text"
    """The column is null, its exact text stands in `<column>__text`, `_steno_notes` says why."""
    QUARANTINE = "quarantine"
    """The record is set aside."""


class OnRewrite(StrEnum):
    """What happens to a table whose rows the source has rewritten without giving their changes."""

    SNAPSHOT = "snapshot"
    """It is recorded as stale and read again."""
    MARK = "mark"
    """It is recorded as stale until somebody has it read again."""


@dataclass(frozen=True, slots=True)
class Default:
    """A field's default: its Avro type without null, and the value as the wire would hold it, never null."""

    avro: AvroType
    datum: object


@dataclass(frozen=True, slots=True)
class Model:
    """One version of a company's own model: `schemas/<name>/v<version>.avsc`.

    `required` names the fields that have no default and take no null; `defaults` are those that are not null.
    """

    name: str
    version: int
    shape: TableShape
    required: frozenset[str] = frozenset()
    defaults: Mapping[str, Default] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What one source table becomes: its topic, its history table and how its columns are mapped.

    `renames` maps a source column to a model field. `model` is None for a table stored in its own shape; `earlier`
    are its versions before, oldest first. `unheld` says what becomes of values that a history column cannot hold,
    where `unheld_by_column` does not say it of the column.
    """

    source: str
    table: TableId
    topic: str
    history: str
    model: Model | None = None
    renames: Mapping[str, str] = field(default_factory=dict)
    track: tuple[str, ...] = ()
    keep_before: bool = False
    evolution: Evolution = Evolution.EVOLVE
    unheld: ValuePolicy = ValuePolicy.TEXT
    unheld_by_column: Mapping[str, ValuePolicy] = field(default_factory=dict)
    earlier: tuple[Model, ...] = ()

    def value_policy(self, column: str) -> ValuePolicy:
        """What becomes of a value that this history column cannot hold."""
        return self.unheld_by_column.get(column, self.unheld)


def fingerprint(canonical: str) -> str:
    """SHA-256, in hex, of a schema's canonical form: what stands for it in the warehouse."""
    return hashlib.sha256(canonical.encode()).hexdigest()
