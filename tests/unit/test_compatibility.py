"""A schema is BACKWARD compatible exactly where Avro's resolution rules let it read the older data."""

from __future__ import annotations

import io

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.types import Schema

from stenograph.registry.compatibility import obstacles


def _record(*fields: object, name: str = "R", **more: object) -> dict[str, object]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def _field(name: str, kind: object, **more: object) -> dict[str, object]:
    return {"name": name, "type": kind, **more}


def _enum(*symbols: str, **more: object) -> dict[str, object]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def _decimal(precision: int, scale: int) -> dict[str, object]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


NODE = _record(_field("next", ["null", "R"]), _field("n", "int"))
NODE_LONG = _record(_field("next", ["null", "R"]), _field("n", "long"))
NODE_TEXT = _record(_field("next", ["null", "R"]), _field("n", "string"))

READS = [
    ("int", "int"),
    ("long", "int"),
    ("double", "float"),
    ("bytes", "string"),
    ("string", "bytes"),
    ({"type": "long"}, "int"),
    (["null", "int"], "int"),
    (["null", "long"], "int"),
    (["null", "int"], ["int", "null"]),
    ("int", ["int"]),
    ({"type": "array", "items": "long"}, {"type": "array", "items": "int"}),
    ({"type": "map", "values": "double"}, {"type": "map", "values": "int"}),
    (_enum("a", "b", "c"), _enum("a", "b")),
    (_enum("a", default="a"), _enum("a", "b")),
    ({"type": "fixed", "name": "F", "size": 4}, {"type": "fixed", "name": "F", "size": 4}),
    (_record(_field("a", "int")), _record(_field("a", "int"), _field("b", "int"))),
    (_record(_field("a", "int"), _field("b", "int", default=0)), _record(_field("a", "int"))),
    (_record(_field("b", "int", aliases=["a"])), _record(_field("a", "int"))),
    (_record(_field("a", "int"), namespace="x"), _record(_field("a", "int"), namespace="y")),
    (_record(_field("a", "int"), name="New", aliases=["R"]), _record(_field("a", "int"))),
    (_decimal(10, 2), _decimal(10, 2)),
    (NODE_LONG, NODE),
    (
        _record(_field("a", _enum("x")), _field("b", ["null", "E"]), namespace="n"),
        _record(_field("a", _enum("x")), _field("b", "n.E"), namespace="n"),
    ),
]

DOES_NOT_READ = [
    ("int", "long"),
    ("float", "double"),
    ("int", "string"),
    ("string", "int"),
    ("int", ["null", "int"]),
    (["null", "string"], "int"),
    ({"type": "array", "items": "int"}, {"type": "array", "items": "long"}),
    ({"type": "array", "items": "int"}, {"type": "map", "values": "int"}),
    (_enum("a"), _enum("a", "b")),
    ({"type": "fixed", "name": "F", "size": 4}, {"type": "fixed", "name": "F", "size": 8}),
    (_record(_field("a", "int"), _field("b", "int")), _record(_field("a", "int"))),
    (_record(_field("a", "int")), _record(_field("a", ["null", "int"]))),
    (_record(_field("a", "int"), name="New"), _record(_field("a", "int"))),
    (_decimal(12, 2), _decimal(10, 2)),
    (_decimal(10, 3), _decimal(10, 2)),
    (NODE_TEXT, NODE),
    (_record(_field("a", _record(_field("b", "int"), name="I"))), _record(_field("a", _record(name="I")))),
]


@pytest.mark.parametrize(("reader", "writer"), READS)
def test_it_reads(reader: object, writer: object) -> None:
    assert obstacles(reader, writer) == ()


@pytest.mark.parametrize(("reader", "writer"), DOES_NOT_READ)
def test_it_does_not_read(reader: object, writer: object) -> None:
    assert obstacles(reader, writer) != ()


def test_an_obstacle_names_its_place() -> None:
    inner = _record(_field("b", "string"), name="I")
    old = _record(_field("b", "int"), name="I")
    found = obstacles(_record(_field("a", inner), _field("c", "int")), _record(_field("a", old)))
    assert [sentence.split(":")[0] for sentence in found] == ["a.b", "c"]


@pytest.mark.parametrize(
    ("reader", "writer", "value"),
    [
        (_record(_field("a", "long"), _field("b", "int", default=7)), _record(_field("a", "int")), {"a": 1}),
        (_enum("a", default="a"), _enum("a", "b"), "b"),
        (NODE_LONG, NODE, {"next": {"next": None, "n": 2}, "n": 1}),
    ],
)
def test_an_independent_reader_agrees(reader: Schema, writer: Schema, value: object) -> None:
    data = io.BytesIO()
    schemaless_writer(data, parse_schema(writer, named_schemas={}), value)
    data.seek(0)
    assert obstacles(reader, writer) == ()
    schemaless_reader(data, parse_schema(writer, named_schemas={}), parse_schema(reader, named_schemas={}))
