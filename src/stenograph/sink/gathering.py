"""Gathers what several polls give into one flush, so that the fixed price of an append is shared.

Joins no batches, holds nothing between two flushes, and never reads past the limits by more than one poll.
"""

from __future__ import annotations

from datetime import timedelta

from stenograph.history import FlushLimits
from stenograph.packing import Packed
from stenograph.ports import ChangeLogReader, LoggedBatch

_LITTLE = 16
"""A poll that gives less than this part of a flush says that the log has no more."""
_NO_WAIT = timedelta(0)


def gathered(reader: ChangeLogReader, limits: FlushLimits, wait: timedelta) -> tuple[list[LoggedBatch], bool]:
    """At most about `limits` of what the log holds, as it was polled, and whether more may be waiting.

    Waits at most `wait` for the first record, and for no other.
    """
    polls: list[LoggedBatch] = []
    rows = size = 0
    while rows < limits.rows and size < limits.bytes:
        batches = reader.poll(limits.rows - rows, _NO_WAIT if polls else wait)
        polls += batches
        got_rows, got_size = sum(map(len, batches)), sum(map(_size, batches))
        rows, size = rows + got_rows, size + got_size
        if not batches or (got_rows * _LITTLE < limits.rows and got_size * _LITTLE < limits.bytes):
            return polls, False
    return polls, True


def _size(batch: LoggedBatch) -> int:
    if isinstance(batch.values, Packed):
        return int(batch.values.array.nbytes)
    return sum(len(value) for value in batch.values if value is not None)
