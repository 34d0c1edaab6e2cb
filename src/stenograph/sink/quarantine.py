"""A record set aside: its place, its raw bytes and the reason, so that it can be looked at and tried again."""

from __future__ import annotations

import json

from stenograph.errors import StenographError
from stenograph.history import Quarantined
from stenograph.ports import LoggedBatch


def set_aside(batch: LoggedBatch, index: int, fault: StenographError) -> Quarantined:
    """The batch's record at `index`, with what is wrong with it."""
    return Quarantined(
        partition=batch.partition,
        generation=batch.generation,
        offset=batch.offsets[index],
        timestamp=batch.timestamps[index],
        key=batch.keys[index],
        value=batch.values[index],
        headers=json.dumps([[name, data.hex()] for name, data in batch.headers[index]]).encode(),
        lane=batch.lanes[index],
        order=batch.orders[index],
        error=type(fault).__name__,
        reason=f"{fault} {fault.hint}",
    )
