"""The account of a stretch of the log: every record read had one fate (Invariant 9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from stenograph.history import span_digest
from stenograph.offsets import Span
from stenograph.ports import LoggedBatch


def span_of(batch: LoggedBatch, fates: Counter[str], stored: Iterable[tuple[int, str | None, bytes]]) -> Span:
    """The span of a batch, from the count of each fate and (offset, order, key digest) of the rows stored."""
    return Span(
        partition=batch.partition,
        generation=batch.generation,
        start=batch.start,
        stop=batch.stop,
        read=len(batch),
        stored=fates["stored"],
        duplicate=fates["duplicate"],
        filtered=fates["filtered"],
        quarantined=fates["quarantined"],
        digest=span_digest(stored),
    )
