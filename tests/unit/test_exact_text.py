"""Exact texts of wire values, and defaults of model fields as the wire would hold them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stenograph.envelope.exact_text import exact_text
from stenograph.schemas import AvroType, default_datum
from tests.evolving import DATE, MICROS, MILLIS, decimal

ZONED: AvroType = {"type": "string", "connect.name": "io.debezium.time.ZonedTimestamp"}
TIME: AvroType = {"type": "long", "connect.name": "io.debezium.time.MicroTime"}


@pytest.mark.parametrize(
    ("value", "avro", "text"),
    [
        (2**31 - 1, DATE, "infinity"),
        (-(2**31), DATE, "-infinity"),
        (9223372036825200000, MICROS, "infinity"),
        (-9223372036832400, MILLIS, "-infinity"),
        ("+294247-01-10T04:00:25.200000Z", ZONED, "infinity"),
        ("99999-01-01T00:00:00Z", ZONED, "99999-01-01T00:00:00Z"),
        (2**62, MILLIS, "4611686018427387904 (as Timestamp)"),
        (-5, TIME, "-5 (as MicroTime)"),
        (2**31 - 1, "int", "2147483647"),
        (Decimal("1E+3"), decimal(4, 2), "1000"),
        (True, "boolean", "true"),
        (b"\x01\xff", "bytes", "01ff"),
        ([None, 2**31 - 1], {"type": "array", "items": ["null", DATE]}, '[null, "infinity"]'),
    ],
)
def test_a_value_s_text_says_it_exactly(value: object, avro: AvroType, text: str) -> None:
    assert exact_text(value, avro) == text


@pytest.mark.parametrize(
    ("avro", "default", "datum"),
    [
        ("int", 5, 5),
        ("double", 5, 5.0),
        ("string", "new", "new"),
        ("boolean", False, False),
        ("bytes", "\u00ff", b"\xff"),
        (decimal(38, 2), "\u0000\u0096", Decimal("1.50")),
        (decimal(38, 2), "\u00ff\u0038", Decimal("-2.00")),
        ({"type": "long", "logicalType": "timestamp-micros"}, 1, 1),
        ({"type": "enum", "name": "e", "symbols": ["a"]}, "a", "a"),
        ({"type": "array", "items": ["null", "int"]}, [1, None], [1, None]),
        ({"type": "record", "name": "r", "fields": []}, {}, {}),
    ],
)
def test_a_default_is_read_as_the_wire_would_hold_it(avro: AvroType, default: object, datum: object) -> None:
    found = default_datum(avro, default)
    assert (found, type(found)) == (datum, type(datum))


@pytest.mark.parametrize(
    ("avro", "default"),
    [
        ("int", 2**31),
        ("int", True),
        ("int", "5"),
        ("boolean", 0),
        ("string", 5),
        ("string", None),
        ("bytes", "\u0100"),
        (decimal(4, 2), 1.5),
        ({"type": "enum", "name": "e", "symbols": ["a"]}, "b"),
        ({"type": "array", "items": "int"}, ["x"]),
    ],
)
def test_a_default_of_another_type_is_refused(avro: AvroType, default: object) -> None:
    with pytest.raises(ValueError, match="is no "):
        default_datum(avro, default)
