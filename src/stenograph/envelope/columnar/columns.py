"""A column of a row: the node that reads it and the finish that makes its Arrow array.

Must agree with `envelope.values.converter` type by type; a type that is not named here is read one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

import pyarrow as pa
from fastavro.read import LOGICAL_READERS

from stenograph.envelope.columnar.compound import Array, Union, Whole, branches_of, node_of
from stenograph.envelope.columnar.decimals import Decimals, NumberTexts
from stenograph.envelope.columnar.lists import Finish, Lists, OneByOne
from stenograph.envelope.columnar.nodes import Node, NotColumnar, Scaled
from stenograph.envelope.columnar.numbers import Micros, Plain, boolean, day
from stenograph.envelope.columnar.numbers import Whole as WholeNumber
from stenograph.envelope.columnar.texts import Checked, is_json, is_uuid, octets, text
from stenograph.envelope.columnar.zoned import Zoned
from stenograph.envelope.table import WireColumn, whole_type
from stenograph.envelope.values import converter
from stenograph.history import arrow_type
from stenograph.schemas import AvroType, ColumnType, Kind, UnknownAvroType, column_type, nullable_of

_MICROS: Final = range(-(2**63) + 2, 2**63 - 1)
_DAY_MICROS: Final = range(86_400_000_000 + 1)
_MILLIS: Final = {
    "io.debezium.time.Timestamp",
    "io.debezium.time.Time",
    "org.apache.kafka.connect.data.Timestamp",
    "org.apache.kafka.connect.data.Time",
}


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """How one column is read: over the bytes first, then what they hold."""

    name: str
    node: Node
    finish: Finish
    type: pa.DataType


def column_of(column: WireColumn, avro: AvroType) -> ReadColumn:
    """The way to read a column; `avro` is its whole type, with null where it takes one. Raise NotColumnar."""
    try:
        node, finish = _read_as(column.avro)
        of = arrow_type(column_type(column.avro))
    except (UnknownAvroType, ValueError) as cause:
        raise NotColumnar("a type that no column has") from cause
    if isinstance(avro, list):
        node = Union(node, *branches_of(avro))
    return ReadColumn(column.name, node, finish, of)


def _read_as(avro: AvroType) -> tuple[Node, Finish]:
    of = column_type(avro)
    base = avro.get("type") if isinstance(avro, Mapping) else avro
    if of.kind is Kind.LIST and isinstance(avro, Mapping):
        items = cast(AvroType, avro["items"])
        element, _ = nullable_of(items)
        if column_type(element).kind is not Kind.LIST:
            node, finish = _read_as(element)
            item = Union(node, *branches_of(items)) if isinstance(items, list) else node
            return Array(item), Lists(finish)
    if of.kind is Kind.NUMBER_TEXT and _fields(avro) == _VARIABLE_SCALE:
        return Scaled(), NumberTexts(None, avro, converter(avro))
    finish_of = None if _is_read_by_library(avro) else _finish(of, base, avro)
    if finish_of is not None:
        return node_of(avro), finish_of
    alone = whole_type(WireColumn("column", avro, nullable=False))
    return Whole(node_of(avro)), OneByOne(alone, converter(avro), arrow_type(of))


def _is_read_by_library(avro: AvroType) -> bool:
    """Whether the reference's library makes values of its own of the type: its logical types but for one."""
    logical = avro.get("logicalType") if isinstance(avro, Mapping) else None
    name = f"{avro.get('type')}-{logical}" if isinstance(avro, Mapping) else ""
    return name in LOGICAL_READERS and name != "bytes-decimal"


def _finish(of: ColumnType, base: object, avro: AvroType) -> Finish | None:
    """The finish of what `base` reads; None for what is read one by one."""
    arrow = arrow_type(of)
    scale = avro.get("scale", 0) if isinstance(avro, Mapping) else None
    match of.kind, base:
        case Kind.BOOLEAN, "boolean":
            return boolean
        case ((Kind.INT16 | Kind.INT32 | Kind.INT64), ("int" | "long")):
            return WholeNumber({Kind.INT16: 16, Kind.INT32: 32, Kind.INT64: 64}[of.kind])
        case (Kind.FLOAT32, "float") | (Kind.FLOAT64, "double") | (Kind.DURATION, "long"):
            return Plain(arrow)
        case Kind.DECIMAL, "bytes" if 0 <= (of.scale or 0) <= (of.precision or 0):
            return Decimals(of.precision or 0, of.scale or 0)
        case Kind.NUMBER_TEXT, "bytes" if isinstance(scale, int):
            return NumberTexts(scale, avro, converter(avro))
        case ((Kind.TIMESTAMP | Kind.TIMESTAMPTZ), "string") if (
            _semantic(avro) == "io.debezium.time.ZonedTimestamp"
        ):
            return Zoned(arrow, converter(avro))
        case ((Kind.TIMESTAMP | Kind.TIMESTAMPTZ), ("int" | "long")):
            return Micros(arrow, _factor(avro), _MICROS)
        case Kind.TIME, ("int" | "long"):
            return Micros(arrow, _factor(avro), _DAY_MICROS)
        case Kind.DATE, ("int" | "long"):
            return day
        case Kind.UUID, "string":
            return Checked(is_uuid, converter(avro))
        case Kind.JSON, "string":
            return Checked(is_json, converter(avro))
        case Kind.TEXT, "string":
            return text
        case Kind.BYTES, "bytes":
            return octets
        case _:
            return None


_VARIABLE_SCALE: Final = [("scale", "int"), ("value", "bytes")]


def _fields(avro: AvroType) -> list[tuple[object, object]]:
    fields = avro.get("fields") if isinstance(avro, Mapping) else None
    return [(field["name"], field["type"]) for field in fields] if isinstance(fields, list) else []


def _semantic(avro: AvroType) -> object:
    return avro.get("connect.name") if isinstance(avro, Mapping) else None


def _factor(avro: AvroType) -> int:
    """Microseconds in a unit of the type, as `envelope.values` has it."""
    logical = avro.get("logicalType") if isinstance(avro, Mapping) else None
    in_millis = isinstance(logical, str) and logical.endswith("-millis")
    return 1000 if _semantic(avro) in _MILLIS or in_millis else 1
