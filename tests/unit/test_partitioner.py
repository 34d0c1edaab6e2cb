"""A key goes where Kafka's hash of its datum sends it, whatever its schema's number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenograph.envelope.framing import framed
from stenograph.logs.embedded.headers import pack_headers, unpack_headers
from stenograph.logs.embedded.partitioner import murmur2, partition_of, partitions_of
from stenograph.logs.embedded.shares import fair_shares
from stenograph.offsets import Partition
from stenograph.packing import packed

PUBLISHED = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize("key", PUBLISHED)
def test_the_hash_is_that_of_kafkas_own_test(key: bytes) -> None:
    assert murmur2(key) == PUBLISHED[key]


@pytest.mark.parametrize("key", PUBLISHED)
def test_the_partition_is_the_hash_without_its_sign(key: bytes) -> None:
    assert partition_of(key, 7) == (PUBLISHED[key] & 0x7FFFFFFF) % 7


@given(key=st.binary(), partitions=st.integers(1, 64))
def test_every_key_has_a_partition_that_exists(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) in range(partitions)


@given(datum=st.binary(max_size=20), first=st.integers(0, 2**32 - 1), second=st.integers(0, 2**32 - 1))
def test_a_key_stays_in_its_partition_when_its_schema_changes(datum: bytes, first: int, second: int) -> None:
    """Invariant 4."""
    assert partition_of(framed(first, datum), 64) == partition_of(framed(second, datum), 64)
    assert partition_of(framed(first, datum), 64) == (murmur2(datum) & 0x7FFFFFFF) % 64


FRAMED = st.builds(framed, st.integers(0, 3), st.binary(max_size=12))
KEYS = st.lists(
    st.none() | FRAMED | st.binary(max_size=12) | st.binary(min_size=250, max_size=300), max_size=40
)


@given(keys=KEYS, partitions=st.integers(1, 64), skipped=st.integers(0, 3))
def test_all_keys_at_once_go_where_each_goes_alone(
    keys: list[bytes | None], partitions: int, skipped: int
) -> None:
    """Invariant 4."""
    array = packed([b"before"] * skipped + keys + [b"after"])[skipped:-1]
    assert partitions_of(array, partitions).tolist() == [partition_of(key, partitions) for key in keys]


def test_no_key_is_partition_0() -> None:
    assert partition_of(None, 64) == 0


@given(st.lists(st.tuples(st.text(), st.binary())))
def test_headers_come_back_as_they_were_packed(headers: list[tuple[str, bytes]]) -> None:
    assert unpack_headers(pack_headers(tuple(headers))) == tuple(headers)


def test_a_cut_blob_of_headers_is_refused() -> None:
    blob = pack_headers((("name", b"value"),))
    for length in range(1, len(blob)):
        with pytest.raises(ValueError, match="blob ends"):
            unpack_headers(blob[:length])


@given(counts=st.lists(st.integers(1, 100), min_size=1, max_size=8), limit=st.integers(1, 200))
def test_shares_use_the_limit_and_leave_nobody_out(counts: list[int], limit: int) -> None:
    waiting = {Partition("t", number): count for number, count in enumerate(counts)}
    shares = fair_shares(waiting, limit)
    assert sum(shares.values()) == min(limit, sum(counts))
    assert all(0 < share <= waiting[partition] for partition, share in shares.items())
    assert len(shares) == min(limit, len(counts))
