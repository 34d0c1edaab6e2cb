"""Digests differ when any value does."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from stenograph.history import plain_rows, row_digest

LONG = "1234567890123456789012345678901234567"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([None], ["~"]),
        ([None], [""]),
        ([True], ["t"]),
        ([1.5], [1.25]),
        ([0.0], [-0.0]),
        ([b"a"], ["a"]),
        (["a", "b"], ["ab", ""]),
        (["a\x1fsb", "c"], ["a", "b\x1fsc"]),
        ([["a", "b"]], [["a,sb"]]),
        ([["a"], "b"], [["a", "b"], ""]),
        ([Decimal(LONG + "8")], [Decimal(LONG + "9")]),
        ([date(2024, 1, 1)], [date(2024, 1, 2)]),
    ],
)
def test_different_rows_have_different_digests(one: list[object], other: list[object]) -> None:
    assert row_digest(one) != row_digest(other)


def test_trailing_zeros_of_an_exact_number_say_nothing() -> None:
    same = [Decimal("100.50"), Decimal("100.5"), Decimal("100.500000000000000000000000000000000")]
    assert len({row_digest([value]) for value in same}) == 1
    assert row_digest([Decimal(100)]) == row_digest([Decimal("1E+2")]) != row_digest([Decimal(10)])


def test_a_lone_surrogate_has_a_digest() -> None:
    assert row_digest(["\ud800"]) != row_digest(["\ud801"])


def test_instants_beyond_every_calendar_are_plain_numbers() -> None:
    table = pa.table(
        {
            "at": pa.array([2**62], pa.timestamp("us", tz="UTC")),
            "day": pa.array([2**30], pa.date32()),
            "text": ["a"],
        }
    )

    assert list(plain_rows(table)) == [(2**62, 2**30, "a")]
