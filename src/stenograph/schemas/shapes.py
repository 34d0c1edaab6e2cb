"""Shapes: the types that history columns have, a table's columns, and what a table becomes.

Knows neither Avro's nor any warehouse's words for a type.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stenograph.events import TableId

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

    def __str__(self) -> str:
        if self.kind is Kind.DECIMAL:
            return f"decimal({self.precision},{self.scale})"
        if self.kind is Kind.LIST:
            return f"{self.element}[]"
        return self.kind.value


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a history table. All are nullable there: a delete row holds little more than the key."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class TableShape:
    """A history table's source columns, in order, and the names of those that are the key.

    `key` is empty for a table without a primary key.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """What must be true of a history table before the next rows are stored: these columns exist.

    Safe to apply again: a table that is there is kept, a column that is there is kept.
    """

    table: str
    shape: TableShape
    adds: tuple[Column, ...]
    tracked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """One version of a company's own model: `schemas/<name>/v<version>.avsc`.

    `required` names the fields that have no default and take no null.
    """

    name: str
    version: int
    shape: TableShape
    required: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What one source table becomes: its topic, its history table and how its columns are mapped.

    `renames` maps a source column to a model field. `model` is None for a table stored in its own shape.
    """

    source: str
    table: TableId
    topic: str
    history: str
    model: Model | None = None
    renames: Mapping[str, str] = field(default_factory=dict)
    track: tuple[str, ...] = ()
    keep_before: bool = False


def fingerprint(canonical: str) -> str:
    """SHA-256, in hex, of a schema's canonical form: what stands for it in the warehouse."""
    return hashlib.sha256(canonical.encode()).hexdigest()
