"""What can be seen of a batch before any record is decoded: schema ids, places, headers.

Reads five bytes of a message and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from stenograph.envelope.framing import PREFIX_BYTES
from stenograph.offsets import ORDER_BYTES
from stenograph.packing import Bools, Coded, Ints, bounds, coded, integers, packed
from stenograph.ports import Headers, LoggedBatch
from stenograph.sink.columnar.fates import ORDER_TYPE, NotSure, Orders
from stenograph.sink.columnar.headers import HeaderFacts, facts_of

NO_MESSAGE: Final = -1
UNFRAMED: Final = -2
_WORD: Final = 8


@dataclass(frozen=True, slots=True)
class Survey:
    """A batch, seen from outside.

    `value_ids` and `key_ids` are schema ids, `NO_MESSAGE` or `UNFRAMED`. `orders` mean something only where `ours`,
    which is: where the record has a lane and an order.
    """

    values: pa.LargeBinaryArray
    keys: pa.LargeBinaryArray
    value_ids: Ints
    key_ids: Ints
    offsets: Ints
    lanes: Coded[str | None]
    orders: Orders
    ours: Bools
    headers: Coded[Headers]
    facts: Sequence[HeaderFacts]
    """By the headers' choice."""


def survey(batch: LoggedBatch) -> Survey:
    """Look at the batch; raise NotSure for orders of another width than ours."""
    values, keys = packed(batch.values), packed(batch.keys)
    lanes, headers = coded(batch.lanes), coded(batch.headers)
    orders, has_order = _orders(packed(batch.orders))
    return Survey(
        values=values,
        keys=keys,
        value_ids=schema_ids(values),
        key_ids=schema_ids(keys),
        offsets=integers(batch.offsets),
        lanes=lanes,
        orders=orders,
        ours=has_order & chosen([lane is not None for lane in lanes.choices], lanes),
        headers=headers,
        facts=[facts_of(choice) for choice in headers.choices],
    )


def chosen(of_choice: Sequence[bool], of: Coded[Any]) -> Bools:
    """What is true of each value, from what is true of each choice."""
    if len(of_choice) == 1:
        return np.full(len(of), of_choice[0], np.bool_)
    return np.array(of_choice, np.bool_)[of.codes]


def schema_ids(messages: pa.LargeBinaryArray) -> Ints:
    """The schema id of every message, `NO_MESSAGE` or `UNFRAMED`."""
    places, data = bounds(messages), messages.buffers()[2]
    starts, lengths = places[:-1], np.diff(places)
    ids = _prefixes(b"" if data is None else memoryview(data), starts)
    is_framed = (lengths >= PREFIX_BYTES) & (ids >> 32 == 0)
    ids = np.where(is_framed, ids, UNFRAMED)
    if messages.null_count:
        ids[messages.is_null().to_numpy(zero_copy_only=False)] = NO_MESSAGE
    return ids


def _prefixes(data: bytes | memoryview, starts: Ints) -> Ints:
    """The first five bytes from each start as a number; past the end of the data, zeros."""
    whole = len(data) - _WORD + 1
    late = starts >= whole
    if whole < 1 or late.any():
        tail = bytes(data[max(whole, 0) :]) + bytes(_WORD)
        padded = np.ndarray((len(tail) - _WORD + 1,), ">u8", tail, 0, (1,))
        first = max(whole, 0)
        found = np.zeros(len(starts), np.uint64)
        found[late] = padded[np.minimum(starts[late] - first, len(padded) - 1)]
        early = ~late
        if whole >= 1 and early.any():
            found[early] = np.ndarray((whole,), ">u8", data, 0, (1,))[starts[early]]
    else:
        # Overlapping words, one from every byte on: one look instead of five.
        found = np.ndarray((whole,), ">u8", data, 0, (1,))[starts].astype(np.uint64)
    return (found >> np.uint64(24)).astype(np.int64)


def _orders(orders: pa.LargeBinaryArray) -> tuple[Orders, Bools]:
    there = np.ones(len(orders), np.bool_)
    if orders.null_count:
        there = orders.is_valid().to_numpy(zero_copy_only=False)
        orders = orders.drop_null()
    count, places, data = len(orders), bounds(orders), orders.buffers()[2]
    if bool((np.diff(places) != ORDER_BYTES).any()):
        raise NotSure
    if not count or data is None:
        return np.zeros(len(there), ORDER_TYPE), there
    found = np.frombuffer(memoryview(data), ORDER_TYPE, count, int(places[0]))
    if count == len(there):
        return found, there
    every = np.zeros(len(there), ORDER_TYPE)
    every[there] = found
    return every, there
