"""Sequences without an object for each value read as the lists that they stand for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stenograph.packing import Coded, Packed, coded, integers, packed

VALUES = st.lists(st.none() | st.binary(max_size=8), max_size=6)
PLACE = st.none() | st.integers(-8, 8)


@given(VALUES, PLACE, PLACE)
def test_packed_values_read_as_their_list(
    values: list[bytes | None], first: int | None, stop: int | None
) -> None:
    held = Packed(packed(values))
    assert list(held) == values
    assert [held[index] for index in range(len(values))] == values
    assert list(held[first:stop]) == values[first:stop]
    assert list(held[first:stop:2]) == values[first:stop:2]
    assert held == values


@given(st.lists(st.sampled_from(["a", "b", None]), max_size=6), PLACE, PLACE)
def test_coded_values_read_as_their_list(
    values: list[str | None], first: int | None, stop: int | None
) -> None:
    held = coded(values)
    assert list(held) == values
    assert [held[index] for index in range(len(values))] == values
    assert list(held[first:stop]) == values[first:stop]
    assert held == values
    assert len(held.choices) == len(set(values))


def test_what_is_packed_or_coded_already_stays_as_it_is() -> None:
    array = pa.array([b"a"], pa.large_binary())
    assert packed(Packed(array)) is array
    held = Coded(("a",), np.zeros(1, np.int32))
    assert coded(held) is held


@given(st.integers(-5, 5), st.integers(-5, 5), st.sampled_from([1, 2, -1]))
def test_a_range_becomes_its_numbers(start: int, stop: int, step: int) -> None:
    numbers = range(start, stop, step)
    assert integers(numbers).tolist() == list(numbers) == integers(list(numbers)).tolist()
