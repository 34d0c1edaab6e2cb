"""Places in a source's own order."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenograph.offsets import ORDER_BYTES, order_of, parts_of

PARTS = st.tuples(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
)


@given(PARTS)
def test_an_order_gives_its_parts_back(parts: tuple[int, int, int, int]) -> None:
    assert parts_of(order_of(*parts)) == parts


@given(st.lists(PARTS, min_size=2, max_size=10))
def test_orders_sort_as_their_parts_do_as_bytes_and_as_hex(parts: list[tuple[int, int, int, int]]) -> None:
    parts.sort()
    for low, high in pairwise(order_of(*each) for each in parts):
        assert len(low) == ORDER_BYTES
        assert low <= high
        assert low.hex() <= high.hex()


@pytest.mark.parametrize("parts", [(-1, 0, 0, 0), (0, 2**64, 0, 0), (0, 0, 0, 2**32)])
def test_a_part_that_does_not_fit_is_not_cut(parts: tuple[int, int, int, int]) -> None:
    with pytest.raises(struct.error):
        order_of(*parts)
