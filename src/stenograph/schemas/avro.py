"""Reads an Avro type, as Debezium or a model file writes it, as a column type.

Converts no value but a decimal's bytes: that is `envelope.values`, which must agree with this table type by type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from stenograph.schemas.shapes import AvroType, ColumnType, Kind


class UnknownAvroType(ValueError):
    """An Avro type that no column can hold; the message is the type, never a value."""


@dataclass(frozen=True, slots=True)
class AvroField:
    """A record's field: its non-null type, and whether null is allowed or a default given."""

    name: str
    type: AvroType
    nullable: bool
    has_default: bool


_SEMANTIC: dict[str, ColumnType] = {
    "io.debezium.data.Uuid": ColumnType(Kind.UUID),
    "io.debezium.data.Json": ColumnType(Kind.JSON),
    "io.debezium.data.Enum": ColumnType(Kind.TEXT),
    "io.debezium.data.Xml": ColumnType(Kind.TEXT),
    "io.debezium.data.Bits": ColumnType(Kind.BYTES),
    "io.debezium.time.Date": ColumnType(Kind.DATE),
    "io.debezium.time.Time": ColumnType(Kind.TIME),
    "io.debezium.time.MicroTime": ColumnType(Kind.TIME),
    "io.debezium.time.Timestamp": ColumnType(Kind.TIMESTAMP),
    "io.debezium.time.MicroTimestamp": ColumnType(Kind.TIMESTAMP),
    "io.debezium.time.ZonedTimestamp": ColumnType(Kind.TIMESTAMPTZ),
    "io.debezium.time.ZonedTime": ColumnType(Kind.TEXT),
    "io.debezium.time.MicroDuration": ColumnType(Kind.DURATION),
    "io.debezium.time.Interval": ColumnType(Kind.TEXT),
    "io.debezium.data.VariableScaleDecimal": ColumnType(Kind.NUMBER_TEXT),
    "io.debezium.data.geometry.Point": ColumnType(Kind.JSON),
    "io.debezium.data.geometry.Geometry": ColumnType(Kind.JSON),
    "org.apache.kafka.connect.data.Date": ColumnType(Kind.DATE),
    "org.apache.kafka.connect.data.Time": ColumnType(Kind.TIME),
    "org.apache.kafka.connect.data.Timestamp": ColumnType(Kind.TIMESTAMP),
}
"""Debezium's and Connect's semantic names (`connect.name`)."""

_LOGICAL: dict[str, ColumnType] = {
    "uuid": ColumnType(Kind.UUID),
    "date": ColumnType(Kind.DATE),
    "time-millis": ColumnType(Kind.TIME),
    "time-micros": ColumnType(Kind.TIME),
    "timestamp-millis": ColumnType(Kind.TIMESTAMPTZ),
    "timestamp-micros": ColumnType(Kind.TIMESTAMPTZ),
    "local-timestamp-millis": ColumnType(Kind.TIMESTAMP),
    "local-timestamp-micros": ColumnType(Kind.TIMESTAMP),
}
"""Avro's own logical types: https://avro.apache.org/docs/1.12.0/specification/#logical-types."""

_PRIMITIVE: dict[str, ColumnType] = {
    "boolean": ColumnType(Kind.BOOLEAN),
    "int": ColumnType(Kind.INT32),
    "long": ColumnType(Kind.INT64),
    "float": ColumnType(Kind.FLOAT32),
    "double": ColumnType(Kind.FLOAT64),
    "string": ColumnType(Kind.TEXT),
    "bytes": ColumnType(Kind.BYTES),
}


def nullable_of(avro: AvroType) -> tuple[AvroType, bool]:
    """The type without null, and whether null was in it.

    Raise UnknownAvroType for a union of two or more types that are not null.
    """
    if isinstance(avro, str | Mapping):
        return avro, False
    rest = [branch for branch in avro if branch != "null"]
    if len(rest) != 1 or not isinstance(rest[0], str | Mapping):
        raise UnknownAvroType(f"a union of {len(rest)} types")
    return rest[0], len(rest) < len(avro)


def fields_of(record: Mapping[str, object]) -> tuple[AvroField, ...]:
    """The fields of a record schema."""
    fields = []
    raw = record.get("fields")
    for field in raw if isinstance(raw, list) else []:
        avro, nullable = nullable_of(field["type"])
        fields.append(AvroField(str(field["name"]), avro, nullable, "default" in field))
    return tuple(fields)


def resolved(record: Mapping[str, object]) -> dict[str, object]:
    """The record with every later mention of a named type replaced by its definition.

    Avro defines a name once: the second column of a record type is only that name. A type inside itself stays a name.
    """
    known: dict[str, Mapping[str, object]] = {}
    return {**record, "fields": _resolved(record.get("fields"), str(record.get("namespace", "")), known)}


def _resolved(avro: Any, namespace: str, known: dict[str, Mapping[str, object]]) -> object:
    match avro:
        case str():
            return known.get(avro) or known.get(f"{namespace}.{avro}") or avro
        case list():
            return [_resolved(branch, namespace, known) for branch in avro]
        case {"type": "record"}:
            full, inner = full_name(avro, namespace)
            whole = {**avro, "fields": _resolved(avro.get("fields"), inner, known)}
            known[full] = whole
            return whole
        case {"type": "enum" | "fixed"}:
            known[full_name(avro, namespace)[0]] = avro
            return avro
        case {"type": "array", "items": items}:
            return {**avro, "items": _resolved(items, namespace, known)}
        case {"type": of, "name": _}:
            return {**avro, "type": _resolved(of, namespace, known)}
        case _:
            return avro


def full_name(named: Mapping[str, object], namespace: str) -> tuple[str, str]:
    """A named type's full name, and the namespace that names inside it are looked up in."""
    name, own = str(named["name"]), str(named.get("namespace", namespace))
    if "." in name:
        return name, name.rpartition(".")[0]
    return (f"{own}.{name}" if own else name), own


def column_type(avro: AvroType) -> ColumnType:
    """The column type of a non-null Avro type; raise UnknownAvroType where there is none."""
    if isinstance(avro, str):
        if avro in _PRIMITIVE:
            return _PRIMITIVE[avro]
        raise UnknownAvroType(avro)
    if not isinstance(avro, Mapping):
        return column_type(nullable_of(avro)[0])
    base, semantic, logical = avro.get("type"), avro.get("connect.name"), avro.get("logicalType")
    if logical == "decimal":
        return _decimal(avro)
    if isinstance(semantic, str) and semantic in _SEMANTIC:
        return _SEMANTIC[semantic]
    if isinstance(logical, str) and logical in _LOGICAL:
        return _LOGICAL[logical]
    if avro.get("connect.type") == "int16":
        return ColumnType(Kind.INT16)
    match base:
        case "array":
            items = avro["items"]
            element, _ = nullable_of(items if isinstance(items, str | Mapping | list) else str(items))
            return ColumnType(Kind.LIST, element=column_type(element))
        case "enum":
            return ColumnType(Kind.TEXT)
        case "record" | "map":
            return ColumnType(Kind.JSON)
        case "fixed":
            return ColumnType(Kind.BYTES)
        case str():
            return column_type(base)
        case _:
            raise UnknownAvroType(str(base))


def _decimal(avro: Mapping[str, object]) -> ColumnType:
    precision, scale = avro.get("precision"), avro.get("scale", 0)
    if not isinstance(precision, int) or not isinstance(scale, int):
        raise UnknownAvroType("a decimal without precision")
    if precision > 38:
        return ColumnType(Kind.NUMBER_TEXT)
    return ColumnType(Kind.DECIMAL, precision, scale)


def decimal_of(unscaled: bytes, scale: int) -> Decimal:
    """The exact number that Avro writes as a big-endian whole number and how many of its digits follow the point."""
    number = Decimal(int.from_bytes(unscaled, "big", signed=True)).as_tuple()
    # Made from its digits: `scaleb` would round to 28 of them.
    return Decimal((number.sign, number.digits, -scale))
