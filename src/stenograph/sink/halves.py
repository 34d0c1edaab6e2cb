"""Splits what was polled in two, so that one record that the warehouse refuses can be found."""

from __future__ import annotations

from collections.abc import Sequence

from stenograph.ports import LoggedBatch


def halves(batches: Sequence[LoggedBatch]) -> list[list[LoggedBatch]]:
    """Two parts with every record in one of them, in order; empty for a single record, which has no halves."""
    if len(batches) > 1:
        middle = len(batches) // 2
        return [list(batches[:middle]), list(batches[middle:])]
    batch = batches[0]
    if len(batch) < 2:
        return []
    middle = batch.offsets[len(batch) // 2]
    return [[batch.between(batch.start, middle)], [batch.between(middle, batch.stop)]]
