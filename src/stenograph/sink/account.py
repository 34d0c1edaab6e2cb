"""The account of a stretch of the log: every record read had one fate (Invariant 9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import pyarrow as pa

from stenograph.history import span_digest
from stenograph.offsets import Span
from stenograph.ports import LoggedBatch


def span_of(
    batches: Sequence[LoggedBatch], fates: Counter[str], stored: pa.Table, key: Collection[str]
) -> Span:
    """The span of one partition's successive batches, from the count of each fate and the history rows stored.

    `key` names the columns of their key.
    """
    return Span(
        partition=batches[0].partition,
        generation=batches[0].generation,
        start=batches[0].start,
        stop=batches[-1].stop,
        read=sum(len(batch) for batch in batches),
        stored=fates["stored"],
        duplicate=fates["duplicate"],
        filtered=fates["filtered"],
        quarantined=fates["quarantined"],
        digest=span_digest(stored, key),
    )
