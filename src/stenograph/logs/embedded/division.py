"""Divides a batch among the partitions of its topics, into segments ready to be stored.

Opens no file; the order of records within a partition is that of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from stenograph.logs.embedded.partitioner import partitions_of
from stenograph.logs.embedded.segment import Piece, SegmentPacker
from stenograph.packing import Coded, Ints, bounds, coded, integers, packed
from stenograph.ports import EncodedBatch

SEGMENT_BYTES = 4 << 20
"""A segment ends with the record that reaches this many bytes of keys and values: readers load it whole."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one partition gets of a batch, or a part of it.

    `oldest` and `newest` are the least and the greatest timestamp. `pieces` are the segment's bytes, end to end.
    """

    topic: str
    number: int
    count: int
    oldest: int
    newest: int
    size: int
    pieces: list[Piece]


def divide(batch: EncodedBatch, partitions: int) -> Iterator[Share]:
    """The batch's shares, by topic and partition; ValueError if its sequences are not of one length."""
    _refuse_unequal(batch)
    topics = _distinct(coded(batch.topics))
    keys, values, orders = packed(batch.keys), packed(batch.values), packed(batch.orders)
    headers = coded(batch.headers)
    timestamps = integers(batch.timestamps)
    places = topics.codes.astype(np.int64) * partitions + partitions_of(keys, partitions)
    if (places != places[0]).any():
        # 16 bits are sorted by radix.
        narrow = places.astype(np.uint16) if len(topics.choices) * partitions <= 1 << 16 else places
        order = np.argsort(narrow, kind="stable")
        chosen = pa.array(order, pa.int64())
        places, timestamps = places[order], timestamps[order]
        keys, values, orders = keys.take(chosen), values.take(chosen), orders.take(chosen)
        headers = Coded(headers.choices, headers.codes[order])
    lanes: Coded[str | None] = Coded((batch.lane,), np.zeros(len(places), np.int32))
    packer = SegmentPacker(timestamps, values, keys, orders, lanes, headers)
    edges = _edges(places, keys, values)
    for first, stop in pairwise(edges):
        topic, number = divmod(int(places[first]), partitions)
        pieces = packer.pack(first, stop)
        stamps = timestamps[first:stop]
        yield Share(
            topics.choices[topic],
            number,
            stop - first,
            int(stamps.min()),
            int(stamps.max()),
            sum(map(len, pieces)),
            pieces,
        )


def _distinct(topics: Coded[str]) -> Coded[str]:
    """The same with each topic among the choices once: records of one topic must stay in their order."""
    names = tuple(dict.fromkeys(topics.choices))
    if len(names) == len(topics.choices):
        return topics
    numbers = np.array([names.index(topic) for topic in topics.choices], np.int32)
    return Coded(names, numbers[topics.codes])


def _edges(places: Ints, keys: pa.LargeBinaryArray, values: pa.LargeBinaryArray) -> list[int]:
    """Where segments begin, and the end of the last."""
    begins = np.flatnonzero(np.diff(places)) + 1
    if keys.nbytes + values.nbytes > SEGMENT_BYTES:
        before = bounds(keys)[:-1] + bounds(values)[:-1]
        # Bytes before each record since its partition's first one.
        starts = np.concatenate(([0], begins))
        since = before - np.repeat(before[starts], np.diff(np.append(starts, len(places))))
        begins = np.union1d(begins, np.flatnonzero(np.diff(since // SEGMENT_BYTES)) + 1)
    return [0, *begins.tolist(), len(places)]


def _refuse_unequal(batch: EncodedBatch) -> None:
    for name in ("topics", "keys", "timestamps", "orders", "headers"):
        count = len(getattr(batch, name))
        if count != len(batch):
            raise ValueError(
                f"The batch's {name} are longer or shorter than its values: {count}, not {len(batch)}."
            )
