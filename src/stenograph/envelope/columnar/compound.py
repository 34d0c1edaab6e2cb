"""What Avro's compound types do to a cursor, and the tree of nodes that a schema becomes.

Reads arrays of one block and unions with null; whatever else Avro has is left to the reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from stenograph.envelope.columnar.nodes import (
    Boolean,
    Enumerated,
    Fixed,
    Floating,
    Long,
    Node,
    NotColumnar,
    Raw,
    SkippedLong,
    SkippedText,
    Span,
    no_span,
)
from stenograph.envelope.columnar.window import Bytes, Cursor
from stenograph.packing import Bools, Ints
from stenograph.schemas import AvroType


class Fields:
    """A record's fields one after the other; no value of its own."""

    def __init__(self, fields: Sequence[tuple[str, Node]]) -> None:
        self.fields = tuple(fields)
        self.least = sum(node.least for _, node in fields)

    def read_all(self, cursor: Cursor) -> dict[str, Raw]:
        """What each field read."""
        return {name: node.read(cursor) for name, node in self.fields}

    def read(self, cursor: Cursor) -> Raw:
        """See `Node`."""
        for _, node in self.fields:
            node.read(cursor)
        return Raw(cursor.at)

    def nothing(self, at: Ints) -> Raw:
        """See `Node`."""
        return Raw(at, None, np.zeros(len(at), np.bool_))


class Whole:
    """A value as the span of its own bytes, for whoever reads it one by one."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.least = node.least

    def read(self, cursor: Cursor) -> Raw:
        """See `Node`."""
        start = cursor.at
        self._node.read(cursor)
        return Raw(start, cursor.at - start)

    def nothing(self, at: Ints) -> Raw:
        """See `Node`."""
        return no_span(at)


class Union:
    """One type and perhaps null: the branch's number, then the value."""

    least = 1

    def __init__(self, node: Node, value: int, null: int | None) -> None:
        self.node = node
        self.branch = Branch(value, null)

    def read(self, cursor: Cursor) -> Raw:
        """See `Node`."""
        which = self.branch.read(cursor)
        if which is None:
            return self.node.read(cursor)
        if not len(which):
            return self.node.nothing(cursor.at)
        some = cursor.some(which)
        at = cursor.at
        raw = self.node.read(some)
        raw = raw.spread(which, at)
        cursor.join(which, some)
        return raw

    def nothing(self, at: Ints) -> Raw:
        """See `Node`."""
        return self.node.nothing(at)


class Branch:
    """The number of a union's branch; other than the value's and null's is wrong, as is one of two bytes."""

    def __init__(self, value: int, null: int | None) -> None:
        self._value = np.uint8(2 * value)
        self._codes: Bytes = np.array([2 * value] if null is None else [2 * value, 2 * null], np.uint8)

    def read(self, cursor: Cursor) -> Ints | None:
        """Where the value stands; None where it does everywhere."""
        code = cursor.byte()
        there: Bools = code == self._value
        if there.all():
            return None
        if len(self._codes) == 1:
            cursor.wrong |= ~there
        elif (code | np.uint8(2)).max() != 2:
            cursor.wrong |= (code | np.uint8(2)) != 2
        return np.flatnonzero(there)


_FEW: Final = 32
_LATE: Final = 64
"""From this item on, arrays of fewer than `_FEW` records at once are quicker read one by one."""


_MANY: Final = 1 << 16
"""More items than these are read one by one, so that no count alone fills the memory."""


class Array:
    """A list in one block, as every writer that buffers writes it; other blocks are wrong, which is: read elsewhere."""

    least = 1

    def __init__(self, item: Node) -> None:
        if not item.least:
            raise NotColumnar("an array of values that take no bytes")
        self._item = item

    def read(self, cursor: Cursor) -> Raw:
        """See `Node`."""
        counts = cursor.long()
        room = cursor.ends - cursor.at
        wrong = (counts < 0) | (counts > np.minimum(room, _MANY))
        if wrong.any():
            cursor.wrong |= wrong
            counts = np.where(wrong, 0, counts)
        first = np.cumsum(counts) - counts
        items = _blank(self._item, int(counts.sum()))
        which = np.flatnonzero(counts)
        full = which
        number = 0
        while len(which):
            if number >= _LATE and len(which) < _FEW:
                cursor.wrong[which] = True
                break
            some = cursor.some(which)
            _put(items, first[which] + number, self._item.read(some))
            cursor.join(which, some)
            number += 1
            which = which[(counts[which] > number) & (some.at < some.ends)]
        if len(full):
            some = cursor.some(full)
            some.wrong |= some.byte() != 0
            cursor.join(full, some)
        return Raw(counts, None, None, items)

    def nothing(self, at: Ints) -> Raw:
        """See `Node`."""
        none = np.zeros(0, np.int64)
        return Raw(np.zeros(len(at), np.int64), None, np.zeros(len(at), np.bool_), self._item.nothing(none))


def _blank(node: Node, count: int) -> Raw:
    raw = node.nothing(np.zeros(count, np.int64))
    raw.valid = np.ones(count, np.bool_)
    return raw


def _put(into: Raw, places: Ints, raw: Raw) -> None:
    into.values[places] = raw.values
    if into.lengths is not None and raw.lengths is not None:
        into.lengths[places] = raw.lengths
    if into.scales is not None and raw.scales is not None:
        into.scales[places] = raw.scales
    if raw.valid is not None and into.valid is not None:
        into.valid[places] = raw.valid


def node_of(avro: AvroType, *, skipped: bool = False) -> Node:
    """The node of a type whose names are resolved; raise NotColumnar where there is none."""
    match avro:
        case "boolean":
            return Boolean()
        case "int" | "long":
            return SkippedLong() if skipped else Long()
        case "float":
            return Floating(4)
        case "double":
            return Floating(8)
        case "bytes":
            return Span()
        case "string":
            return SkippedText() if skipped else Span()
        case {"type": "record", "fields": list(fields)}:
            return Fields([(f["name"], node_of(f["type"], skipped=skipped)) for f in fields])
        case {"type": "array", "items": items}:
            return Array(node_of(_type(items), skipped=skipped))
        case {"type": "enum", "symbols": list(symbols)}:
            return Enumerated(len(symbols))
        case {"type": "fixed", "size": int(size)}:
            return Fixed(size)
        case {"type": str(of)} if of not in ("map", "error", "request"):
            return node_of(of, skipped=skipped)
        case list(branches):
            value, null = branches_of(branches)
            return Union(node_of(_type(branches[value]), skipped=skipped), value, null)
        case _:
            raise NotColumnar("a type that is read one by one")


def branches_of(branches: Sequence[object]) -> tuple[int, int | None]:
    """Which branch of a union is the value and which is null; NotColumnar for one of more than one type."""
    nulls = [place for place, branch in enumerate(branches) if branch == "null"]
    values = [place for place, branch in enumerate(branches) if branch != "null"]
    if len(values) != 1 or len(nulls) > 1:
        raise NotColumnar("a union of more than one type")
    return values[0], nulls[0] if nulls else None


def _type(avro: object) -> AvroType:
    if not isinstance(avro, str | Mapping | list):
        raise NotColumnar("a type that is none")
    return avro
