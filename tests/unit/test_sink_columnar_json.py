"""Whole columns become the JSON texts that the reference gives one by one."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from stenograph.envelope.json_text import json_object, json_text
from stenograph.history import arrow_type
from stenograph.schemas import ColumnType, Kind
from stenograph.sink.columnar.json_texts import json_objects, json_texts

_DAY = 86_400_000_000
VALUES: dict[ColumnType, list[Any]] = {
    ColumnType(Kind.BOOLEAN): [True, False],
    ColumnType(Kind.INT16): [-1, 0],
    ColumnType(Kind.INT32): [-(2**31)],
    ColumnType(Kind.INT64): [2**63 - 1, -(2**63)],
    ColumnType(Kind.FLOAT32): [0.1, 1e20, float("nan"), float("-inf"), -0.0],
    ColumnType(Kind.FLOAT64): [0.1, 1e300, 5e-324, 1.0, float("inf")],
    ColumnType(Kind.DECIMAL, 20, 10): [Decimal("0E-10"), Decimal("1E-10"), Decimal("-12.5000000000")],
    ColumnType(Kind.DECIMAL, 38, 0): [Decimal(10**38 - 1), Decimal(0)],
    ColumnType(Kind.NUMBER_TEXT): ["1.50", "NaN"],
    ColumnType(Kind.TEXT): ['a "b"', "\\", "naïve ☕", "\x00\x1f\n\t\x7f", "", "plain", "</>"],
    ColumnType(Kind.UUID): ["00000000-0000-0000-0000-000000000000"],
    ColumnType(Kind.JSON): ['{"a": "\\u00e9"}', "null", " 1 "],
    ColumnType(Kind.BYTES): [b"", b"\x00\xff"],
    ColumnType(Kind.DATE): [0, -719162, 2932896],
    ColumnType(Kind.TIMESTAMP): [0, 1, -1, 1_736_000_000_000_000, 1_736_000_000_100_000],
    ColumnType(Kind.TIMESTAMPTZ): [0, 1, -62_135_596_800_000_000, 253_402_300_799_999_999],
    ColumnType(Kind.TIME): [0, 1, _DAY - 1, _DAY],
    ColumnType(Kind.DURATION): [-1, 10 * _DAY],
    ColumnType(Kind.LIST, element=ColumnType(Kind.TEXT)): [[], ["a", None, '"']],
    ColumnType(Kind.LIST, element=ColumnType(Kind.TIMESTAMPTZ)): [[0, None, 5_000_000]],
    ColumnType(Kind.LIST, element=ColumnType(Kind.DECIMAL, 9, 2)): [[Decimal("1.50")]],
}
BEYOND: dict[ColumnType, list[Any]] = {
    ColumnType(Kind.DATE): [-719163, 2932897, 1],
    ColumnType(Kind.TIMESTAMP): [-62_135_596_800_000_001, 253_402_300_800_000_000, 5],
    ColumnType(Kind.TIMESTAMPTZ): [2**62, 5],
}


def array(values: list[Any], of: ColumnType) -> pa.Array[Any]:
    return (
        pa.array(values, arrow_type(of))
        if of.kind is not Kind.TIME
        else pa.array(values, pa.int64()).view(arrow_type(of))
    )


@pytest.mark.parametrize(
    ("of", "values"),
    [*VALUES.items(), *BEYOND.items()],
    ids=lambda each: str(each) if isinstance(each, ColumnType) else "",
)
def test_a_column_is_written_as_its_values_are(of: ColumnType, values: list[Any]) -> None:
    if of.kind is Kind.FLOAT32:
        values = pa.array(values, pa.float32()).to_pylist()
    wanted = [json_text(value, of) for value in [*values, None, *values]]

    assert json_texts(array([*values, None, *values], of), of).to_pylist() == wanted
    assert json_texts(array([values[0], *values], of).slice(1), of).to_pylist() == wanted[: len(values)]
    assert json_texts(array([], of), of).to_pylist() == []
    assert json_texts(array([None], of), of).to_pylist() == ["null"]


def test_every_kind_is_tried() -> None:
    assert {of.kind for of in VALUES} == set(Kind)


def test_an_object_leaves_out_what_is_null_and_escapes_names() -> None:
    texts = {'a"b': pa.array(["1", None, None]), "c": pa.array(["null", '"x"', None])}

    found = json_objects(texts).to_pylist()
    whole = json_objects({name: each.slice(0, 1) for name, each in texts.items()}).to_pylist()

    assert found == [json_object({'a"b': "1", "c": "null"}), json_object({"c": '"x"'}), "{}"]
    assert whole == found[:1]
    assert all(json.loads(text) is not None for text in found)
