"""Shapes as JSON text in the bookkeeping, and what a table's recorded shapes tell of its columns.

Reads no table: whoever asks hands the texts in, oldest first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stenograph.schemas.shapes import Column, ColumnType, Lift, TableShape


@dataclass(slots=True)
class Memory:
    """What shapes say of a table: the types each column has had, which columns hold exact texts, the keys."""

    types: dict[str, dict[ColumnType, None]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    keys: dict[tuple[str, ...], None] = field(default_factory=dict)

    @classmethod
    def of(cls, shapes: Iterable[TableShape]) -> Memory:
        """What these shapes say."""
        memory = cls()
        for shape in shapes:
            memory.add(shape)
        return memory

    def add(self, shape: TableShape) -> None:
        """Remember a shape that came after those so far."""
        self.keys.setdefault(shape.key)
        for column in shape.columns:
            self.types.setdefault(column.name, {}).setdefault(column.type)
            if column.text_of is not None:
                self.texts[column.name] = column.text_of

    def column(self, name: str, of: ColumnType, lift: Lift | None = None) -> Column:
        """A column of that type after these shapes."""
        held = tuple(each for each in self.types.get(name, {}) if each != of)
        return Column(name, of, self.texts.get(name), held, lift)


def recorded_shapes(texts: Iterable[str]) -> tuple[TableShape, ...]:
    """The shapes that a table has had, each with what was remembered of its columns then."""
    memory, shapes = Memory(), []
    for text in texts:
        shape = shape_of_text(text)
        memory.add(shape)
        columns = tuple(memory.column(column.name, column.type) for column in shape.columns)
        shapes.append(TableShape(columns, shape.key))
    return tuple(shapes)


def shape_text(shape: TableShape) -> str:
    """The shape as canonical JSON."""
    described: dict[str, object] = {
        "columns": [[column.name, str(column.type)] for column in shape.columns],
        "key": list(shape.key),
    }
    texts = {column.name: column.text_of for column in shape.columns if column.text_of is not None}
    return json.dumps(
        described | ({"texts": texts} if texts else {}), ensure_ascii=False, separators=(",", ":")
    )


def shape_of_text(text: str) -> TableShape:
    """The inverse of `shape_text`."""
    described: dict[str, Any] = json.loads(text)
    texts: Mapping[str, str] = described.get("texts", {})
    columns = (Column(name, ColumnType.of_text(of), texts.get(name)) for name, of in described["columns"])
    return TableShape(tuple(columns), tuple(described["key"]))
