"""Wire values as history columns hold them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from stenograph.envelope.values import converter
from stenograph.errors import ValueOutOfRange
from stenograph.schemas import AvroType


def debezium(name: str, base: str) -> AvroType:
    return {"type": base, "connect.name": f"io.debezium.{name}"}


def decimal(precision: int, scale: int) -> AvroType:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


NUMBER: AvroType = {
    "type": "record",
    "name": "VariableScaleDecimal",
    "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}],
    "connect.name": "io.debezium.data.VariableScaleDecimal",
}
NINES = Decimal("9" * 29 + "." + "9" * 9)
DAY = 86_400_000_000
SOME_UUID = "6f1e0e4c-7b6f-4a3b-9c2d-0123456789ab"
SMALL: AvroType = {"type": "int", "connect.type": "int16"}


def number(text: str) -> dict[str, object]:
    value = Decimal(text).as_tuple()
    unscaled = int("".join(map(str, value.digits))) * (-1 if value.sign else 1)
    assert isinstance(value.exponent, int)
    return {"scale": -value.exponent, "value": unscaled.to_bytes(40, "big", signed=True)}


@pytest.mark.parametrize(
    ("avro", "wire", "held"),
    [
        ("string", "", ""),
        ("boolean", False, False),
        (SMALL, -(2**15), -(2**15)),
        ("long", 2**63 - 1, 2**63 - 1),
        (decimal(38, 9), NINES, NINES),
        (decimal(38, 9), NINES.copy_negate(), NINES.copy_negate()),
        (decimal(4, 4), Decimal("0.9999"), Decimal("0.9999")),
        (decimal(4, 2), Decimal("0.00"), Decimal("0.00")),
        (decimal(64, 2), Decimal("1" * 40 + ".25"), "1" * 40 + ".25"),
        (NUMBER, number("12345678901234567890.123456789"), "12345678901234567890.123456789"),
        (NUMBER, number("-0.5"), "-0.5"),
        (NUMBER, {"scale": -3, "value": b"\x05"}, "5000"),
        (NUMBER, {"scale": 0, "value": b""}, "0"),
        (debezium("time.Date", "int"), -1, -1),
        (debezium("time.Timestamp", "long"), -1, -1000),
        (debezium("time.MicroTimestamp", "long"), 10**17, 10**17),
        (debezium("time.Time", "int"), 86_399_999, 86_399_999_000),
        (debezium("time.MicroTime", "long"), 86_400_000_000, 86_400_000_000),
        (debezium("time.ZonedTimestamp", "string"), "1970-01-01T00:00:00.000001Z", 1),
        (debezium("time.ZonedTimestamp", "string"), "1969-12-31T23:59:59.5+00:00", -500_000),
        (debezium("time.ZonedTimestamp", "string"), "2024-01-01T02:00:00+02:00", 1_704_067_200_000_000),
        (debezium("time.ZonedTimestamp", "string"), "+12345-01-01T00:00:00.5Z", 3_789_391 * DAY + 500_000),
        (debezium("time.ZonedTimestamp", "string"), "-0043-03-15T12:00:00.000001Z", -735_160 * DAY + DAY // 2 + 1),
        (debezium("time.ZonedTimestamp", "string"), "0000-02-29T00:00:00Z", -719_469 * DAY),
        (debezium("data.Json", "string"), '{"b":1, "a":[1e400]}', '{"b":1, "a":[1e400]}'),
        (debezium("data.Json", "string"), '"\\ud83d\\ude00"', '"\\ud83d\\ude00"'),
        (debezium("data.Uuid", "string"), SOME_UUID, SOME_UUID),
        (debezium("data.Uuid", "string"), SOME_UUID.upper(), SOME_UUID),
        ({"type": "array", "items": ["null", SMALL]}, [1, None], [1, None]),
        (
            {"type": "record", "name": "p", "fields": []},
            {"x": 1.5, "wkb": b"\x01", "srid": None},
            '{"x":1.5,"wkb":"01","srid":null}',
        ),
    ],
)  # fmt: skip
def test_each_wire_value_is_held_exactly(avro: AvroType, wire: object, held: object) -> None:
    assert converter(avro)(wire) == held


@pytest.mark.parametrize(
    ("avro", "wire"),
    [
        (SMALL, 2**15),
        ("int", 2**31),
        ("long", -(2**63) - 1),
        (decimal(4, 2), Decimal("100.00")),
        (decimal(4, 4), Decimal("1.0000")),
        (decimal(38, 0), Decimal(10) ** 38),
        (decimal(4, 2), Decimal("NaN")),
        (NUMBER, {"scale": 2**30, "value": b"\x01"}),
        (debezium("time.Date", "int"), 2**31 - 1),
        (debezium("time.Date", "int"), -(2**31) + 1),
        (debezium("time.MicroTimestamp", "long"), 9223372036825200000),
        (debezium("time.MicroTimestamp", "long"), -9223372036832400000),
        (debezium("time.Timestamp", "long"), 2**62),
        (debezium("time.MicroTime", "long"), 86_400_000_001),
        (debezium("time.MicroTime", "long"), -1),
        (debezium("time.ZonedTimestamp", "string"), "infinity"),
        (debezium("time.ZonedTimestamp", "string"), "+294247-01-10T04:00:25.200000Z"),
        (debezium("time.ZonedTimestamp", "string"), "-290308-12-21T19:59:27.600000Z"),
        (debezium("time.ZonedTimestamp", "string"), "+294276-12-31T23:59:59.999999Z"),
        (debezium("time.ZonedTimestamp", "string"), "+12345-02-29T00:00:00Z"),
        (debezium("time.ZonedTimestamp", "string"), "2024-01-01T00:00:00"),
        (debezium("data.Json", "string"), "{"),
        (debezium("data.Json", "string"), "NaN"),
        (debezium("data.Json", "string"), '{"a": ["\\ud800"]}'),
        (debezium("data.Uuid", "string"), "{6f1e0e4c-7b6f-4a3b-9c2d-0123456789ab}"),
        (debezium("data.Json", "string"), "[" * 100_000),
        (debezium("data.Uuid", "string"), "not a UUID"),
        ({"type": "array", "items": ["null", SMALL]}, [1, 2**15]),
    ],
)
def test_a_value_that_no_column_holds_is_set_aside_and_never_changed(avro: AvroType, wire: Any) -> None:
    with pytest.raises(ValueOutOfRange) as refusal:
        converter(avro)(wire)

    assert str(wire) not in str(refusal.value)
