"""A segment's bytes give back the records they were made of, or say that they are damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenograph.logs.embedded import division
from stenograph.logs.embedded.division import divide
from stenograph.logs.embedded.joining import Joined
from stenograph.logs.embedded.segment import Piece, Segment, SegmentPacker, open_segment
from stenograph.packing import Coded, Packed, coded, integers, packed
from stenograph.ports import EncodedBatch, Headers

Record = tuple[int, bytes | None, bytes | None, bytes | None, str | None, Headers]

STRING = st.none() | st.binary(max_size=9)
HEADERS = st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=2).map(tuple)


def a_record(string: st.SearchStrategy[bytes | None]) -> st.SearchStrategy[Record]:
    lanes = st.none() | st.text(max_size=3)
    return st.tuples(st.integers(-(2**63), 2**63 - 1), string, string, string, lanes, HEADERS)


# One kind of string for all records of a segment makes each of the layouts.
SEGMENT = st.sampled_from(
    (STRING, st.none(), st.binary(max_size=9), st.binary(min_size=4, max_size=4))
).flatmap(lambda string: st.lists(a_record(string), min_size=1, max_size=12))
SAMPLE: list[Record] = [
    (1_700_000_000_000, b"value", b"k", bytes(24), "crm/stream/1-1", ()),
    (1_700_000_000_001, None, b"key", bytes(24), None, (("steno.before", b"k"),)),
    (1_700_000_000_002, b"", None, bytes(24), "crm/stream/1-1", ()),
]

EXPECTED = (
    "0103030103000000050000000400000048000000260000002d0000000068e5cf8b0100000168e5cf8b0100000268e5cf"
    "8b0100000505000000000000000000000076616c7565030100000003000000000000006b6b6579000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000020000000e000000ffffffff63726d2f73747265616d2f312d3100000000010000"
    "00000000000200000000000000150000000000000c000000017374656e6f2e6265666f72656b00000000010000000000"
    "0000"
)


def packer_of(records: list[Record]) -> SegmentPacker:
    stamps, values, keys, orders, lanes, headers = zip(*records, strict=True)
    return SegmentPacker(
        integers(stamps), packed(values), packed(keys), packed(orders), coded(lanes), coded(headers)
    )


def whole(pieces: list[Piece]) -> bytes:
    return b"".join(pieces)


def bytes_of(records: list[Record]) -> bytes:
    return whole(packer_of(records).pack(0, len(records)))


def records_of(joined: Joined) -> list[Record]:
    return list(
        zip(
            joined.timestamps(),
            joined.values(),
            joined.keys(),
            joined.orders(),
            joined.lanes(),
            joined.headers(),
            strict=True,
        )
    )


@given(records=SEGMENT, data=st.data())
def test_any_stretch_of_a_segment_reads_as_it_was_packed(records: list[Record], data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(records) - 1))
    end = data.draw(st.integers(begin + 1, len(records)))
    segment = open_segment(whole(packer_of(records).pack(begin, end)))
    assert segment.count == end - begin
    first = data.draw(st.integers(0, segment.count))
    stop = data.draw(st.integers(first, segment.count))
    joined = Joined()
    joined.take(segment, first, stop)
    assert records_of(joined) == records[begin:end][first:stop]


@given(several=st.lists(SEGMENT, max_size=5))
def test_segments_join_to_their_records_one_after_the_other(several: list[list[Record]]) -> None:
    joined = Joined()
    for records in several:
        joined.take(open_segment(bytes_of(records)), 0, len(records))
    assert records_of(joined) == [record for records in several for record in records]


@given(records=SEGMENT, skipped=st.integers(0, 3))
def test_a_slice_of_an_array_is_packed_as_a_list_of_it(records: list[Record], skipped: int) -> None:
    def sliced(column: Sequence[bytes | None]) -> pa.LargeBinaryArray:
        return packed([b"before"] * skipped + list(column) + [None])[skipped:-1]

    stamps, values, keys, orders, lanes, headers = zip(*records, strict=True)
    packer = SegmentPacker(
        integers(stamps), sliced(values), sliced(keys), sliced(orders), coded(lanes), coded(headers)
    )
    assert whole(packer.pack(0, len(records))) == bytes_of(records)


def test_the_bytes_of_version_1_stay_what_they_are() -> None:
    assert bytes_of(SAMPLE).hex() == EXPECTED


def test_a_segment_that_is_cut_or_goes_on_is_damaged() -> None:
    payload = bytes_of(SAMPLE)
    for damaged in (*(payload[:length] for length in range(len(payload))), payload + b"\0"):
        with pytest.raises(ValueError, match="segment"):
            open_segment(damaged)


def test_another_version_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="version 2"):
        open_segment(b"\2" + bytes_of(SAMPLE)[1:])


@given(records=SEGMENT, data=st.data())
def test_a_damaged_byte_is_found_or_damages_nothing_but_what_it_holds(
    records: list[Record], data: st.DataObject
) -> None:
    payload = bytearray(bytes_of(records))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    joined = Joined()
    try:
        segment = open_segment(bytes(payload))
        if segment.count == len(records):
            joined.take(segment, 0, segment.count)
            assert len(records_of(joined)) == len(records)
    except ValueError:
        return


def test_every_byte_of_a_segment_can_be_damaged_without_another_error() -> None:
    payload = bytes_of(SAMPLE)
    for at in range(len(payload)):
        for damage in (1, 0x80, 0xFF):
            damaged = bytearray(payload)
            damaged[at] ^= damage
            try:
                segment: Segment = open_segment(bytes(damaged))
                joined = Joined()
                joined.take(segment, 0, segment.count)
                assert len(records_of(joined)) == segment.count
            except ValueError:
                continue


def a_batch(count: int, size: int = 10) -> EncodedBatch:
    numbers = range(count)
    return EncodedBatch(
        "crm",
        "crm/stream/1-1",
        [f"topic {number % 3}" for number in numbers],
        [None if number % 5 == 4 else f"key {number}".encode() for number in numbers],
        [None if number % 7 == 6 else bytes(size) + str(number).encode() for number in numbers],
        list(numbers),
        [number.to_bytes(24, "big") for number in numbers],
        [(("n", str(number % 2).encode()),) for number in numbers],
    )


def in_arrays(batch: EncodedBatch) -> EncodedBatch:
    return EncodedBatch(
        batch.source,
        batch.lane,
        coded(batch.topics),
        Packed(packed(batch.keys)),
        Packed(packed(batch.values)),
        integers(batch.timestamps),  # type: ignore[arg-type]
        Packed(packed(batch.orders)),  # type: ignore[arg-type]
        coded(batch.headers),
    )


def test_a_batch_in_arrays_is_divided_as_the_same_batch_in_lists() -> None:
    shares = list(divide(a_batch(200), 4))
    assert len(shares) == 12
    of_arrays = list(divide(in_arrays(a_batch(200)), 4))
    assert [(s.topic, s.number, s.count, s.oldest, s.newest, whole(s.pieces)) for s in shares] == [
        (s.topic, s.number, s.count, s.oldest, s.newest, whole(s.pieces)) for s in of_arrays
    ]


def test_topics_that_no_record_has_get_no_share() -> None:
    batch = in_arrays(a_batch(3))
    topics = Coded(("none", *batch.topics.choices), batch.topics.codes + np.int32(1))  # type: ignore[attr-defined]
    renamed = EncodedBatch(
        "crm", "lane", topics, batch.keys, batch.values, batch.timestamps, batch.orders, batch.headers
    )
    assert {share.topic for share in divide(renamed, 4)} == {"topic 0", "topic 1", "topic 2"}


def test_a_topic_that_is_named_twice_keeps_the_order_of_its_records() -> None:
    """Invariant 4."""
    batch = a_batch(60)
    once = replace(batch, topics=["a"] * 60)
    twice = replace(batch, topics=Coded(("b", "a", "a"), np.array([1, 2] * 30, np.int32)))
    assert [whole(share.pieces) for share in divide(twice, 4)] == [
        whole(share.pieces) for share in divide(once, 4)
    ]


def test_a_share_ends_with_the_record_that_reaches_the_bytes_of_a_segment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(division, "SEGMENT_BYTES", 10_000)
    batch = a_batch(300, size=1000)
    shares = list(divide(batch, 2))
    joined: dict[tuple[str, int], Joined] = {}
    for share in shares:
        assert share.size < 12_000
        assert len(whole(share.pieces)) == share.size
        joined.setdefault((share.topic, share.number), Joined()).take(
            open_segment(whole(share.pieces)), 0, share.count
        )
    assert len(shares) > 24
    assert len(joined) == 6
    for part in joined.values():
        orders = list(part.orders())
        assert orders == sorted(orders, key=lambda order: order or b"")
    stored = [order for part in joined.values() for order in part.orders()]
    assert sorted(stored, key=lambda order: order or b"") == batch.orders


def test_a_small_part_of_a_segment_does_not_keep_the_whole_in_memory() -> None:
    records: list[Record] = [(at, bytes(10_000), b"key", bytes(24), None, ()) for at in range(100)]
    payload = bytes_of(records)
    begin = np.frombuffer(payload, np.uint8).ctypes.data
    inside: dict[int, list[bool]] = {}
    for stop in (9, 100):
        joined = Joined()
        joined.take(open_segment(payload), 7, stop)
        columns = (joined.values(), joined.keys(), joined.orders())
        addresses = [buffer.address for column in columns if (buffer := packed(column).buffers()[2])]
        inside[stop] = [begin <= address < begin + len(payload) for address in addresses]
    assert inside == {9: [False, False, False], 100: [True, False, False]}
