"""A Postgres type's place on the wire: the Avro type as Debezium writes it, and how its text is read.

Asks no server: definitions of types that are not built in come from the catalogue. Other than Debezium:
composites are text where Debezium drops the column, hstore is text, arrays of several dimensions and values
that the Avro type cannot hold go to a header where Debezium loses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from stenograph.schemas import AvroType
from stenograph.sources.postgres import values
from stenograph.sources.postgres.catalogue import PgType, TypeKind
from stenograph.sources.postgres.values import Read


@dataclass(frozen=True, slots=True)
class WireType:
    """The non-null Avro type, and the function from a value's text to the wire value."""

    avro: AvroType
    read: Read


def semantic(name: str, base: str, parameters: Mapping[str, str] | None = None) -> AvroType:
    """An Avro type with one of Debezium's semantic names."""
    given = {"connect.parameters": dict(parameters)} if parameters else {}
    return {"type": base, "connect.version": 1, **given, "connect.name": f"io.debezium.{name}"}


_TEXT = WireType("string", values.text)
_VARIABLE_SCALE: AvroType = {
    "type": "record",
    "name": "VariableScaleDecimal",
    "namespace": "io.debezium.data",
    "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}],
    "connect.doc": "Variable scaled decimal",
    "connect.version": 1,
    "connect.name": "io.debezium.data.VariableScaleDecimal",
}
_POINT: AvroType = {
    "type": "record",
    "name": "Point",
    "namespace": "io.debezium.data.geometry",
    "fields": [
        {"name": "x", "type": "double"},
        {"name": "y", "type": "double"},
        {"name": "wkb", "type": ["null", "bytes"], "default": None},
        {"name": "srid", "type": ["null", "int"], "default": None},
    ],
    "connect.doc": "Geometry (POINT)",
    "connect.version": 1,
    "connect.name": "io.debezium.data.geometry.Point",
}


def _decimal(precision: int, scale: int, parameters: Mapping[str, str]) -> AvroType:
    return {
        "type": "bytes",
        "scale": scale,
        "precision": precision,
        "connect.version": 1,
        "connect.parameters": dict(parameters),
        "connect.name": "org.apache.kafka.connect.data.Decimal",
        "logicalType": "decimal",
    }


_FIXED: dict[str, WireType] = {
    "bool": WireType("boolean", values.boolean),
    "int2": WireType({"type": "int", "connect.type": "int16"}, int),
    "int4": WireType("int", int),
    "int8": WireType("long", int),
    "oid": WireType("long", int),
    "float4": WireType("float", float),
    "float8": WireType("double", float),
    "bytea": WireType("bytes", values.hexadecimal),
    "money": WireType(_decimal(64, 2, {"scale": "2"}), values.money),
    "uuid": WireType(semantic("data.Uuid", "string"), values.text),
    "json": WireType(semantic("data.Json", "string"), values.text),
    "jsonb": WireType(semantic("data.Json", "string"), values.text),
    "xml": WireType(semantic("data.Xml", "string"), values.text),
    "tsvector": WireType(semantic("data.Tsvector", "string"), values.text),
    "date": WireType(semantic("time.Date", "int"), values.date),
    "timetz": WireType(semantic("time.ZonedTime", "string"), values.zoned_time),
    "interval": WireType(semantic("time.MicroDuration", "long"), values.interval),
    "point": WireType(_POINT, values.point),
}


def wire_type(oid: int, typmod: int, types: Mapping[int, PgType]) -> WireType:
    """The wire type of a column; a type that `types` does not know, because it was dropped since, is text."""
    of = types.get(oid)
    if of is None:
        return _TEXT
    match of.kind:
        case TypeKind.DOMAIN:
            return wire_type(of.base, of.base_typmod if of.base_typmod >= 0 else typmod, types)
        case TypeKind.ENUM:
            allowed = {"allowed": ",".join(of.labels)}
            return WireType(semantic("data.Enum", "string", allowed), values.text)
        case TypeKind.ARRAY:
            element = wire_type(of.base, typmod, types)
            items = WireType({"type": "array", "items": ["null", element.avro]}, element.read)
            return WireType(items.avro, values.array(element.read, of.delimiter))
        case TypeKind.OTHER:
            return _TEXT
        case TypeKind.BASE:
            return _FIXED.get(of.name) or _by_typmod(of.name, typmod)
        case _:
            assert_never(of.kind)


def _by_typmod(name: str, typmod: int) -> WireType:
    match name:
        case "numeric":
            return _numeric(typmod)
        case "bit" if typmod == 1:
            return WireType("boolean", values.bit)
        case "bit" | "varbit":
            length = {"length": str(typmod if typmod > 0 else 2**31 - 1)}
            return WireType(semantic("data.Bits", "bytes", length), values.bits)
        case "time" if 0 <= typmod <= 3:
            return WireType(semantic("time.Time", "int"), values.time_millis)
        case "time":
            return WireType(semantic("time.MicroTime", "long"), values.time_micros)
        case "timestamp" if 0 <= typmod <= 3:
            return WireType(semantic("time.Timestamp", "long"), values.millis)
        case "timestamp":
            return WireType(semantic("time.MicroTimestamp", "long"), values.micros)
        case "timestamptz":
            digits = 6 if typmod < 0 else typmod
            return WireType(semantic("time.ZonedTimestamp", "string"), values.Zoned(digits))
        case _:
            return _TEXT


def _numeric(typmod: int) -> WireType:
    if typmod >= 0:
        precision = (typmod - 4) >> 16 & 0xFFFF
        scale = ((typmod - 4 & 0x7FF) ^ 1024) - 1024
        # Avro allows no scale below zero or above the precision; Postgres does since 15.
        if 0 <= scale <= precision:
            parameters = {"scale": str(scale), "connect.decimal.precision": str(precision)}
            return WireType(_decimal(precision, scale, parameters), values.decimal)
    return WireType(_VARIABLE_SCALE, values.variable_decimal)
