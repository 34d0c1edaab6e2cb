"""A span's digest tells what was stored at which places, whatever its columns' types have become since."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations
from typing import Any

import pyarrow as pa
import pytest

from stenograph.history import span_digest


def span(
    key: pa.Array[Any] | Sequence[object],
    offsets: Sequence[int] = (1, 2),
    orders: Sequence[str] = ("0a", "0b"),
) -> pa.Table:
    return pa.table({"_steno_log_offset": list(offsets), "_steno_order": list(orders), "id": key})


def test_a_span_differs_when_a_row_is_lost_doubled_moved_or_of_another_key() -> None:
    spans = [
        span([1, 2]),
        span([1], [1], ["0a"]),
        span([1, 1, 2], [1, 1, 2], ["0a", "0a", "0b"]),
        span([2, 1], [2, 1], ["0b", "0a"]),
        span([1, 3]),
        span([1, None]),
        span([12, None]),
        span([1, 2], orders=["0a", "0c"]),
        span([1, 2], offsets=[1, 3]),
        span(pa.array([], pa.int64()), [], []),
    ]
    for one, other in combinations(spans, 2):
        assert span_digest(one, ["id"]) != span_digest(other, ["id"])


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (pa.array([1, None], pa.int16()), pa.array([1, None], pa.int64())),
        (pa.array([1, -20], pa.int32()), pa.array([1, -20], pa.decimal128(20, 0))),
        (pa.array([1, 20], pa.int32()), pa.array([Decimal(1), Decimal(20)], pa.decimal128(20, 4))),
        (
            pa.array([Decimal("1.50"), Decimal("0.00")], pa.decimal128(9, 2)),
            pa.array([Decimal("1.5"), Decimal(0)], pa.decimal128(38, 20)),
        ),
        (pa.array([1.5, float("nan")], pa.float32()), pa.array([1.5, float("-nan")], pa.float64())),
        (pa.array(["a", None]), pa.array(["a", None], pa.large_string())),
        (pa.array([["a"], None]), pa.array([["a"], None], pa.large_list(pa.large_string()))),
        (pa.array([1, 2], pa.timestamp("us")), pa.array([1, 2], pa.timestamp("us", tz="UTC"))),
    ],
)
def test_a_wider_type_says_the_same(narrow: pa.Array[Any], wide: pa.Array[Any]) -> None:
    assert span_digest(span(narrow), ["id"]) == span_digest(span(wide), ["id"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab", "c"], ["a", "bc"]),
        (["", "a"], [None, "a"]),
        ([0.0, 1.0], [-0.0, 1.0]),
        ([b"1", b""], [b"1", None]),
        ([["a", "b"], []], [["a,b"], []]),
        ([Decimal(10), Decimal(1)], [Decimal(1), Decimal(10)]),
    ],
)
def test_keys_that_differ_have_different_digests(one: list[object], other: list[object]) -> None:
    assert span_digest(span(one), ["id"]) != span_digest(span(other), ["id"])


def test_a_slice_of_rows_has_the_digest_of_its_rows() -> None:
    rows = span(["a", None, "c", "d"], range(4), ["00", "01", "02", "03"])
    copied = pa.table({name: rows.column(name).to_pylist()[1:3] for name in rows.column_names})

    assert span_digest(rows.slice(1, 2), ["id"]) == span_digest(copied, ["id"])


def test_bytes_under_a_null_say_nothing() -> None:
    noisy = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(),
        2,
        [pa.py_buffer(b"\x02"), pa.array([0, 3, 4], pa.int64()).buffers()[1], pa.py_buffer(b"xyzb")],
    )

    assert span_digest(span(noisy), ["id"]) == span_digest(span([None, b"b"]), ["id"])


def test_the_order_of_the_keys_columns_says_nothing() -> None:
    rows = span([1, 2]).append_column("region", pa.array(["eu", "us"]))

    assert span_digest(rows, ["id", "region"]) == span_digest(rows, ["region", "id"])
    assert span_digest(rows, ["id"]) == span_digest(rows.drop_columns(["region"]), ["id"])
