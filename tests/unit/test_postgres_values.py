"""Postgres's text output as wire values: the golden rows' and those that Debezium loses."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from stenograph.envelope.codec import EventEncoder
from stenograph.envelope.headers import Unheld
from stenograph.envelope.table import WireColumn, WireTable
from stenograph.events import ChangeEvent, Op, Origin, TableId
from stenograph.sources.postgres import values
from stenograph.sources.postgres.catalogue import PgType, TypeKind
from stenograph.sources.postgres.defaults import constant
from stenograph.sources.postgres.types import wire_type
from stenograph.sources.postgres.values import Read
from tests.debezium_workload import records, schemas

BASE = {
    oid: PgType(name, TypeKind.BASE, 0, -1, ",", ())
    for oid, name in {
        16: "bool", 17: "bytea", 20: "int8", 21: "int2", 23: "int4", 25: "text", 114: "json", 142: "xml",
        600: "point", 650: "cidr", 700: "float4", 701: "float8", 790: "money", 829: "macaddr", 869: "inet",
        1042: "bpchar", 1043: "varchar", 1082: "date", 1083: "time", 1114: "timestamp", 1184: "timestamptz",
        1186: "interval", 1266: "timetz", 1560: "bit", 1562: "varbit", 1700: "numeric", 2950: "uuid",
        3614: "tsvector", 3802: "jsonb", 3904: "int4range", 3910: "tstzrange",
    }.items()
}  # fmt: skip
OWN = {
    1: PgType("mood", TypeKind.ENUM, 0, -1, ",", ("sad", "ok", "happy")),
    2: PgType("percent", TypeKind.DOMAIN, 23, -1, ",", ()),
}
ARRAYS = {100_000 + oid: PgType(f"_{of.name}", TypeKind.ARRAY, oid, -1, ",", ()) for oid, of in BASE.items()}
TYPES = BASE | OWN | ARRAYS


def numeric(precision: int, scale: int) -> int:
    """The typmod of numeric(p,s)."""
    return (precision << 16 | scale) + 4


GOLDEN: dict[str, dict[str, tuple[int, int, tuple[str | None, ...]]]] = {
    "scalar_types": {
        "c_bool": (16, -1, ("t", "f", None)),
        "c_i2": (21, -1, ("32767", "-32768", None)),
        "c_i4": (23, -1, ("2147483647", "-2147483648", None)),
        "c_i8": (20, -1, ("9223372036854775807", "-9223372036854775808", None)),
        "c_f4": (700, -1, ("1.5", "-0", "NaN")),
        "c_f8": (701, -1, ("2.5e+300", "-Infinity", "Infinity")),
        "c_num": (1700, -1, ("12345678901234567890.123456789", "-0.5", None)),
        "c_num_ps": (1700, numeric(38, 9), ("12345678901234567890123456789.123456789", "-0.000000001", None)),
        "c_text": (25, -1, ("text", "", None)),
        "c_char": (1042, 9, ("ab   ", "     ", None)),
        "c_bytea": (17, -1, ("\\xdeadbeef", "\\x", None)),
        "c_uuid": (
            2950,
            -1,
            ("6f1e0e4c-7b6f-4a3b-9c2d-0123456789ab", "00000000-0000-0000-0000-000000000000", None),
        ),
        "c_json": (114, -1, ('{"b":1,"a":[1,2]}', "null", None)),
        "c_jsonb": (3802, -1, ('{"a": [1, 2], "b": 1}', "{}", None)),
        "c_xml": (142, -1, ("<a>b</a>", None, None)),
        "c_inet": (869, -1, ("192.168.0.1/24", "::1", None)),
        "c_cidr": (650, -1, ("10.0.0.0/8", None, None)),
        "c_mac": (829, -1, ("08:00:2b:01:02:03", None, None)),
        "c_bit": (1560, 1, ("1", "0", None)),
        "c_bits": (1560, 11, ("10101010101", "00000000000", None)),
        "c_varbit": (1562, 20, ("1011", "", None)),
        "c_money": (790, -1, ("$1,234.56", "-$0.01", None)),
        "c_enum": (1, -1, ("happy", "sad", None)),
        "c_domain": (2, -1, ("42", "0", None)),
    },
    "time_types": {
        "c_date": (1082, -1, ("2024-02-29", "1969-12-31", None, None)),
        "c_time": (1083, -1, ("23:59:59.999999", "00:00:00", None, None)),
        "c_time3": (1083, 3, ("12:34:56.789", "00:00:00", None, None)),
        "c_timetz": (1266, -1, ("12:34:56+05:30", "00:00:00+00", None, None)),
        "c_ts": (1114, -1, ("2024-07-01 12:00:00.123456", "1969-12-31 23:59:59.5", None, None)),
        "c_ts3": (1114, 3, ("2024-07-01 12:00:00.123", "0001-01-01 00:00:00", None, None)),
        "c_ts0": (1114, 0, ("2024-07-01 12:00:00", "9999-12-31 23:59:59", None, None)),
        "c_tstz": (
            1184,
            -1,
            (
                "2024-07-01 10:00:00.123456+00",
                "1969-12-31 23:59:59.5+00",
                "2024-07-01 12:00:00+00",
                "2024-07-01 12:00:00.1+00",
            ),
        ),
        "c_tstz3": (1184, 3, ("2024-07-01 12:00:00.123+00", "0001-01-01 00:00:00+00", None, None)),
        "c_interval": (1186, -1, ("P1Y2M3DT4H5M6.789S", "P-1D", None, None)),
    },
    "nested_types": {
        "c_ints": (100023, -1, ("{1,NULL,3}", "{}")),
        "c_texts": (100025, -1, ('{a,NULL,"b,c","d\\"e"}', "{}")),
        "c_nums": (101700, numeric(10, 2), ("{1.50,NULL}", "{}")),
        "c_dates": (101082, -1, ("{2024-01-01}", "{}")),
        "c_tstzs": (101184, -1, ('{"2024-01-01 00:00:00+00"}', "{}")),
        "c_uuids": (102950, -1, ("{6f1e0e4c-7b6f-4a3b-9c2d-0123456789ab}", "{}")),
        "c_json": (103802, -1, ('{"{\\"a\\": 1}"}', "{}")),
        "c_range": (3904, -1, ("[1,10)", "empty")),
        "c_tsrange": (3910, -1, ('["2024-01-01 00:00:00+00",)', None)),
        "c_point": (600, -1, ("(1.5,-2)", None)),
        "c_tsv": (3614, -1, ("'a' 'cat' 'fat'", None)),
    },
}
"""Column to type oid, typmod, and the text of its value in each streamed row of the golden workload."""

COLUMNS = [(table, column) for table, columns in GOLDEN.items() for column in columns]


def golden(table: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The schema of the table's rows, and the rows after each change of the stream."""
    rows = []
    fields: dict[str, Any] = {}
    for record in records():
        if record.topic == f"golden.public.{table}" and record.value is not None:
            schema = json.loads(schemas()[int.from_bytes(record.value[1:5], "big")])
            fields = {field["name"]: field["type"] for field in schema["fields"][0]["type"][1]["fields"]}
            reader: Any = fastavro.schemaless_reader
            datum = reader(io.BytesIO(record.value[5:]), fastavro.parse_schema(schema), None)
            if datum["op"] == "c":
                rows.append(datum["after"])
    return fields, rows


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_golden_column_has_debeziums_type_and_values(table: str, column: str) -> None:
    oid, typmod, texts = GOLDEN[table][column]
    of = wire_type(oid, typmod, TYPES)
    fields, rows = golden(table)
    assert json.dumps(fields[column][1]) == json.dumps(of.avro)
    ours = [None if text is None else of.read(text.encode()) for text in texts]
    theirs = [row[column] for row in rows]
    assert list(map(repr, ours)) == list(map(repr, theirs))


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (values.date, "infinity", 2**31 - 1),
        (values.date, "-infinity", -(2**31)),
        (values.date, "0044-03-15 BC", -735_160),
        (values.date, "12345-01-01", 3_789_391),
        (values.micros, "infinity", 9223372036825200000),
        (values.micros, "-infinity", -9223372036832400000),
        (values.millis, "infinity", 9223372036825200),
        (values.Zoned(6), "infinity", "+294247-01-10T04:00:25.200000Z"),
        (values.Zoned(6), "0044-03-15 12:00:00+00 BC", "-0043-03-15T12:00:00.000000Z"),
        (values.Zoned(6), "12345-01-01 00:00:00+00", "+12345-01-01T00:00:00.000000Z"),
        (values.Zoned(0), "2024-01-01 00:00:00+00", "2024-01-01T00:00:00Z"),
        (values.time_micros, "24:00:00", 86_400_000_000),
        (values.zoned_time, "24:00:00+00", "24:00:00Z"),
        (values.zoned_time, "00:30:00.5+01", "23:30:00.5Z"),
        (values.interval, "PT-0.5S", -500_000),
        (
            values.interval,
            "P-1Y-2M3DT-4H-5M-6.7S",
            -14 * 2_629_800_000_000 + 3 * 86_400_000_000 - 14_706_700_000,
        ),
        (values.variable_decimal, "0", {"scale": 0, "value": b"\0"}),
        (values.variable_decimal, "1000.00", {"scale": 2, "value": b"\x01\x86\xa0"}),
        (values.array(int, ","), "[0:1]={1,2}", [1, 2]),
        (values.array(values.text, ","), '{"NULL",NULL,"a\\\\b"}', ["NULL", None, "a\\b"]),
    ],
)
def test_a_value_at_the_edge_is_read(read: Read, text: str, value: object) -> None:
    assert read(text.encode()) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (values.decimal, "NaN"),
        (values.variable_decimal, "NaN"),
        (values.variable_decimal, "-Infinity"),
        (values.interval, "infinity"),
        (values.interval, "P300000Y"),
        (values.array(int, ","), "{{1,2},{3,4}}"),
        (values.array(values.decimal, ","), "{1.5,NaN}"),
    ],
)
def test_a_value_that_the_wire_cannot_hold_keeps_its_text(read: Read, text: str) -> None:
    assert read(text.encode()) == Unheld(text)


def test_the_text_of_a_value_that_the_wire_cannot_hold_stands_in_a_header() -> None:
    of = wire_type(1700, numeric(8, 2), TYPES)
    table = WireTable(
        "crm",
        TableId("public", "t"),
        (WireColumn("id", "int", False), WireColumn("n", of.avro, True)),
        ("id",),
    )
    origin = Origin("postgresql", "crm", "db", table.table, 0)
    row = {"id": 1, "n": of.read(b"NaN")}
    event = ChangeEvent(Op.CREATE, origin, {"id": 1}, None, row, 0)
    encoder = EventEncoder(table, 1, 2)
    assert encoder.headers(event) == (("steno.text", b'{"n":"NaN"}'),)
    assert encoder.value(event)


def test_a_null_is_written_as_null_although_the_column_has_a_default() -> None:
    table = WireTable("crm", TableId("public", "t"), (WireColumn("n", "int", True, 7),), ())
    origin = Origin("postgresql", "crm", "db", table.table, 0)
    encoder = EventEncoder(table, None, 2)

    def written(row: dict[str, object]) -> bytes:
        return encoder.value(ChangeEvent(Op.CREATE, origin, None, None, row, 0))

    assert written({"n": None}) != written({"n": 7})
    assert written({}) == written({"n": 7})


@pytest.mark.parametrize(
    ("oid", "expression", "value"),
    [
        (25, "'new'::text", "new"),
        (25, "'it''s'::character varying", "it's"),
        (16, "false", False),
        (23, "7", 7),
        (23, "'-1'::integer", -1),
        (23, "(-1)", -1),
        (701, "0.5", 0.5),
        (701, "'NaN'::double precision", None),
        (1, "'ok'::public.mood", "ok"),
        (1184, "now()", None),
        (23, "nextval('lead_id_seq'::regclass)", None),
        (25, "NULL::text", None),
        (25, "('a'::text || 'b'::text)", None),
        (1700, "1.50", None),
        (25, None, None),
    ],
)
def test_only_a_constant_is_a_default(oid: int, expression: str | None, value: object) -> None:
    assert constant(expression, wire_type(oid, -1, TYPES)) == value


def test_a_type_that_is_unknown_is_text() -> None:
    of = wire_type(987654, -1, TYPES)
    assert (of.avro, of.read(b"x")) == ("string", "x")


def test_floats_keep_their_specials() -> None:
    read: Callable[[bytes], Any] = wire_type(701, -1, TYPES).read
    assert math.isnan(read(b"NaN"))
    assert math.copysign(1, read(b"-0")) == -1
    assert read(b"1e-10") == 1e-10


def test_a_negative_scale_is_of_variable_scale() -> None:
    negative = (3 << 16 | (-2 & 0x7FF)) + 4
    of = wire_type(1700, negative, TYPES)
    assert of.read(b"12300") == {"scale": 0, "value": (12300).to_bytes(2, "big")}
    assert wire_type(1700, numeric(10, 2), TYPES).read(b"1.50") == Decimal("1.50")
