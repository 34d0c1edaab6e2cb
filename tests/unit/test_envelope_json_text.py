"""History values as JSON text."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from stenograph.envelope.json_text import json_object, json_text
from stenograph.schemas import ColumnType, Kind

K = Kind


@pytest.mark.parametrize(
    ("value", "of", "text"),
    [
        (None, ColumnType(K.TEXT), "null"),
        ('a"b\n☕', ColumnType(K.TEXT), '"a\\"b\\n☕"'),
        (True, ColumnType(K.BOOLEAN), "true"),
        (2**63 - 1, ColumnType(K.INT64), "9223372036854775807"),
        (1.5, ColumnType(K.FLOAT64), "1.5"),
        (float("nan"), ColumnType(K.FLOAT64), '"nan"'),
        (float("-inf"), ColumnType(K.FLOAT32), '"-inf"'),
        (Decimal("100.50"), ColumnType(K.DECIMAL, 12, 2), '"100.50"'),
        ("1" * 40, ColumnType(K.NUMBER_TEXT), f'"{"1" * 40}"'),
        ('{"b":1, "a":1}', ColumnType(K.JSON), '{"b":1, "a":1}'),
        (b"\xde\xad", ColumnType(K.BYTES), '"dead"'),
        (0, ColumnType(K.DATE), '"1970-01-01"'),
        (2**31 - 2, ColumnType(K.DATE), '"2147483646 days since 1970"'),
        (1_500_000, ColumnType(K.TIMESTAMP), '"1970-01-01T00:00:01.500000"'),
        (1_500_000, ColumnType(K.TIMESTAMPTZ), '"1970-01-01T00:00:01.500000+00:00"'),
        (2**62, ColumnType(K.TIMESTAMP), f'"{2**62} microseconds since 1970"'),
        ([1, None], ColumnType(K.LIST, element=ColumnType(K.INT32)), "[1,null]"),
    ],
)
def test_each_value_has_its_text(value: object, of: ColumnType, text: str) -> None:
    assert json_text(value, of) == text
    json.loads(text)


def test_an_object_keeps_its_fields_in_order() -> None:
    assert json_object({"b": "1", 'a"': "null"}) == '{"b":1,"a\\"":null}'
