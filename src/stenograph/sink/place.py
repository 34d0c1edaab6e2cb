"""A record's place in its source's own order: its lane and order.

Our capturers say both in headers. Real Debezium does not: they are derived from the `source` block.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass

from stenograph.errors import LaneRegressed, RecordUnreadable
from stenograph.events import ChangeEvent
from stenograph.offsets import LaneMark, Partition, order_of


@dataclass(frozen=True, slots=True)
class Place:
    """`repeats` says whether an order at or below the lane's mark means a record sent twice.

    False only for Debezium's snapshots: all their rows share one LSN, so the offset stands in and says nothing.
    """

    lane: str
    order: bytes
    repeats: bool = True


def derived_place(event: ChangeEvent, offset: int) -> Place:
    """The place of an event that real Debezium wrote: (end of the previous commit, LSN, place in transaction).

    Trap: without `provide.transaction.metadata=true` changes of one statement share their order.
    """
    try:
        return _derived(event, offset)
    except (ValueError, TypeError, LookupError, struct.error):
        raise RecordUnreadable(
            "The record's source block holds no place in the source's order.",
            hint="Find out who writes to this topic: only Debezium's change events may come without our headers.",
        ) from None


def _derived(event: ChangeEvent, offset: int) -> Place:
    origin = event.origin
    lane = f"{origin.source}/{origin.connector}"
    if origin.snapshot != "false":
        order = order_of(0, origin.lsn or 0, 0, offset & 0xFFFFFFFF)
        return Place(f"{lane}/snapshot", order, repeats=False)
    previous = json.loads(origin.sequence)[0] if origin.sequence else None
    total = event.transaction.total_order if event.transaction else 0
    return Place(lane, order_of(0, int(previous or 0), origin.lsn or 0, total))


def is_duplicate(place: Place, committed_at: int, mark: LaneMark | None, at: Partition, offset: int) -> bool:
    """Whether the lane's mark has passed this record already.

    Invariant 3: at or below the mark is a repeat. Raise LaneRegressed if its commit time is after every one
    stored in the lane, because then the source went back, not the capturer.
    """
    if mark is None or not place.repeats or place.order > mark.order:
        return False
    if committed_at <= mark.committed_at:
        return True
    raise LaneRegressed(
        "The source has gone back: a change committed later than all that is stored has an earlier place.",
        hint="If the source was restored or replaced, begin a new run with `steno capture --anew`; "
        "the stored history stays as it is.",
        topic=at.topic,
        partition=at.number,
        offset=offset,
        lane=place.lane,
        order=place.order.hex(),
        stored_order=mark.order.hex(),
    )
