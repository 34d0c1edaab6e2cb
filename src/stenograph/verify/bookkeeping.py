"""Checks the books by themselves: spans tile each partition, counts add up, the ledger stands at their end.

Reads no rows and no log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from stenograph.offsets import Partition
from stenograph.ports import LedgerEntry, StoredSpan
from stenograph.verify.report import Report

CHECK = "books"


def check_books(ledger: Mapping[Partition, LedgerEntry], spans: Sequence[StoredSpan], report: Report) -> None:
    """Invariants 5 and 9 as far as the books show them. `spans` are by partition, generation and start."""
    newest: dict[tuple[Partition, str], int] = {}
    for (partition, generation), group in groupby(
        spans, key=lambda stored: (stored.span.partition, stored.span.generation)
    ):
        at = 0
        for stored in group:
            span = stored.span
            report.counts["spans"] += 1
            if span.start != at:
                what = "is missing a span" if span.start > at else "has overlapping spans"
                report.differs(
                    CHECK, stored.table, f"{partition}", f"{what} between offsets {at} and {span.start}"
                )
            at = span.stop
            accounted = span.stored + span.duplicate + span.filtered + span.quarantined
            if span.read != accounted:
                report.differs(
                    CHECK,
                    stored.table,
                    f"{partition} [{span.start}, {span.stop})",
                    f"read {span.read} records but accounts for {accounted}",
                )
        newest[partition, generation] = at
    for partition, entry in ledger.items():
        at = newest.get((partition, entry.generation), 0)
        if entry.next_offset != at:
            report.differs(
                CHECK,
                partition.topic,
                f"{partition}",
                f"the ledger stands at {entry.next_offset} but the spans end at {at}",
            )
