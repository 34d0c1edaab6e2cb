"""Which records of a batch are repeats, lane by lane, all at once.

Never decides that a source went back: it says that it is not sure, and the reference finds the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stenograph.offsets import ORDER_BYTES, LaneMark, Partition
from stenograph.packing import Bools, Codes, Ints
from stenograph.sink.lanes import Lanes

Orders = npt.NDArray[np.bytes_]
"""Orders of `ORDER_BYTES` each. Trap: numpy strips zeros from the end of one that is taken out."""
ORDER_TYPE = np.dtype(f"S{ORDER_BYTES}")


class NotSure(Exception):
    """Something here is for the reference to decide."""


@dataclass(frozen=True, slots=True)
class Places:
    """The readable records' places in their source's order, in offset order.

    `lanes` are numbers of `names`; `repeats` is None where every record's order is its own.
    """

    names: Sequence[str | None]
    lanes: Codes
    orders: Orders
    committed_at: Ints
    repeats: Bools | None = None


def stored(places: Places, lanes: Lanes, partition: Partition) -> tuple[Bools, dict[str, LaneMark]]:
    """Which records no lane has passed, and to where each lane moves.

    Invariant 3: at or below the running mark is a repeat. Raise NotSure if the source may have gone back.
    """
    fresh = np.ones(len(places.lanes), np.bool_)
    moves: dict[str, LaneMark] = {}
    for code in np.unique(places.lanes) if _differ(places.lanes) else places.lanes[:1]:
        name = places.names[int(code)]
        assert name is not None
        which = np.flatnonzero(places.lanes == code)
        mark = lanes.mark(partition, name)
        if mark is not None and len(mark.order) != ORDER_BYTES:
            raise NotSure
        fresh[which], highest = _fresh(part(places, which), mark)
        if fresh[which].any():
            moves[name] = LaneMark(
                bytes(places.orders[which[highest]]).ljust(ORDER_BYTES, b"\0"),
                int(places.committed_at[which].max()),
            )
    return fresh, moves


def _differ(codes: Codes) -> bool:
    return len(codes) > 0 and bool((codes != codes[0]).any())


def part(places: Places, which: Ints) -> Places:
    """The places of some of the records; the same where these are all."""
    if len(which) == len(places.lanes):
        return places
    repeats = None if places.repeats is None else places.repeats[which]
    return Places(
        places.names, places.lanes[which], places.orders[which], places.committed_at[which], repeats
    )


def _fresh(of_lane: Places, mark: LaneMark | None) -> tuple[Bools, int]:
    """Which records of one lane are not behind it, and which has the highest order."""
    orders, committed_at = of_lane.orders, of_lane.committed_at
    first = None if mark is None else np.frombuffer(mark.order, ORDER_TYPE)
    is_ahead = first is None or bool((orders[:1] > first).all())
    if is_ahead and bool((orders[1:] > orders[:-1]).all()):
        return np.ones(len(orders), np.bool_), len(orders) - 1
    every = orders if first is None else np.concatenate((first, orders))
    ranks: Ints = np.unique(every, return_inverse=True)[1].astype(np.int64)
    behind = ranks[-len(orders) :] <= _before(ranks, len(orders), -1)
    if of_lane.repeats is not None:
        behind &= of_lane.repeats
    latest = committed_at if mark is None else np.concatenate(([mark.committed_at], committed_at))
    if bool((behind & (committed_at > _before(latest, len(orders), np.iinfo(np.int64).min))).any()):
        raise NotSure
    return ~behind, int(np.argmax(ranks[-len(orders) :]))


def _before(values: Ints, count: int, lowest: int) -> Ints:
    """The running maximum before each of the last `count` values; `lowest` where there is none."""
    running = np.maximum.accumulate(values)[:-1]
    return running if len(running) == count else np.concatenate((np.array([lowest], np.int64), running))
