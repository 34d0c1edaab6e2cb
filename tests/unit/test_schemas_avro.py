"""Avro types as column types."""

from __future__ import annotations

import pytest

from stenograph.schemas import (
    AvroType,
    ColumnType,
    Kind,
    UnknownAvroType,
    column_type,
    fields_of,
    nullable_of,
    resolved,
)

NUMBER: AvroType = {
    "type": "record",
    "name": "VariableScaleDecimal",
    "namespace": "io.debezium.data",
    "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}],
    "connect.name": "io.debezium.data.VariableScaleDecimal",
}


@pytest.mark.parametrize(
    ("avro", "wanted"),
    [
        ("boolean", ColumnType(Kind.BOOLEAN)),
        ("int", ColumnType(Kind.INT32)),
        ("long", ColumnType(Kind.INT64)),
        ("float", ColumnType(Kind.FLOAT32)),
        ("double", ColumnType(Kind.FLOAT64)),
        ("string", ColumnType(Kind.TEXT)),
        ("bytes", ColumnType(Kind.BYTES)),
        ({"type": "int", "connect.type": "int16"}, ColumnType(Kind.INT16)),
        ({"type": "string", "connect.name": "io.debezium.data.Uuid"}, ColumnType(Kind.UUID)),
        ({"type": "string", "connect.name": "io.debezium.data.Json"}, ColumnType(Kind.JSON)),
        ({"type": "string", "connect.name": "io.debezium.data.Enum"}, ColumnType(Kind.TEXT)),
        ({"type": "int", "connect.name": "io.debezium.time.Date"}, ColumnType(Kind.DATE)),
        ({"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}, ColumnType(Kind.TIMESTAMP)),
        ({"type": "string", "connect.name": "io.debezium.time.ZonedTimestamp"}, ColumnType(Kind.TIMESTAMPTZ)),
        ({"type": "long", "connect.name": "io.debezium.time.MicroTime"}, ColumnType(Kind.TIME)),
        ({"type": "long", "connect.name": "io.debezium.time.MicroDuration"}, ColumnType(Kind.DURATION)),
        ({"type": "long", "logicalType": "timestamp-micros"}, ColumnType(Kind.TIMESTAMPTZ)),
        ({"type": "long", "logicalType": "local-timestamp-millis"}, ColumnType(Kind.TIMESTAMP)),
        ({"type": "int", "logicalType": "date"}, ColumnType(Kind.DATE)),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 9},
            ColumnType(Kind.DECIMAL, 38, 9),
        ),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 39, "scale": 9},
            ColumnType(Kind.NUMBER_TEXT),
        ),
        (NUMBER, ColumnType(Kind.NUMBER_TEXT)),
        ({"type": "record", "name": "r", "fields": []}, ColumnType(Kind.JSON)),
        ({"type": "map", "values": "int"}, ColumnType(Kind.JSON)),
        ({"type": "enum", "name": "e", "symbols": ["A"]}, ColumnType(Kind.TEXT)),
        ({"type": "fixed", "name": "f", "size": 4}, ColumnType(Kind.BYTES)),
        (
            {"type": "array", "items": ["null", "int"]},
            ColumnType(Kind.LIST, element=ColumnType(Kind.INT32)),
        ),
        (["null", "string"], ColumnType(Kind.TEXT)),
    ],
)
def test_each_avro_type_has_its_column_type(avro: AvroType, wanted: ColumnType) -> None:
    assert column_type(avro) == wanted


@pytest.mark.parametrize(
    "avro",
    ["null", "some.other.Name", ["int", "string"], {"type": "bytes", "logicalType": "decimal"}, {"type": 5}],
)
def test_a_type_that_no_column_can_hold_is_refused(avro: AvroType) -> None:
    with pytest.raises(UnknownAvroType):
        column_type(avro)


def test_null_may_stand_on_either_side_of_a_union() -> None:
    assert nullable_of(["null", "int"]) == nullable_of(["int", "null"]) == ("int", True)
    assert nullable_of("int") == ("int", False)


def test_a_field_says_whether_it_takes_null_and_has_a_default() -> None:
    fields = fields_of(
        {
            "fields": [
                {"name": "a", "type": "int"},
                {"name": "b", "type": ["null", "int"], "default": None},
                {"name": "c", "type": "int", "default": 0},
            ]
        }
    )

    assert [(f.name, f.nullable, f.has_default) for f in fields] == [
        ("a", False, False),
        ("b", True, True),
        ("c", False, True),
    ]


def test_a_second_mention_of_a_named_type_is_replaced_by_its_definition() -> None:
    name = "io.debezium.data.VariableScaleDecimal"
    record = {
        "type": "record",
        "name": "Value",
        "namespace": "crm",
        "fields": [
            {"name": "a", "type": ["null", NUMBER]},
            {"name": "b", "type": ["null", name]},
            {"name": "c", "type": {"type": "array", "items": name}},
            {"name": "d", "type": "string"},
        ],
    }

    types = [column_type(field.type) for field in fields_of(resolved(record))]

    number = ColumnType(Kind.NUMBER_TEXT)
    assert types == [number, number, ColumnType(Kind.LIST, element=number), ColumnType(Kind.TEXT)]


def test_a_name_is_looked_up_in_the_namespace_around_it() -> None:
    inner = {"type": "enum", "name": "Mood", "symbols": ["A"]}
    record = {
        "type": "record",
        "name": "Value",
        "namespace": "crm",
        "fields": [
            {"name": "a", "type": inner},
            {"name": "b", "type": "Mood"},
            {"name": "c", "type": "crm.Mood"},
        ],
    }

    assert [field.type for field in fields_of(resolved(record))] == [inner, inner, inner]
