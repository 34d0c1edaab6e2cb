"""One flush of one history table, as the warehouse receives it.

Decides nothing: what is a duplicate or unreadable was settled before the batch was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from stenograph.offsets import LaneMark, Partition, Span
from stenograph.schemas import TableShape


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record set aside: its place, its raw bytes, and why. `reason` never holds a row's values."""

    partition: Partition
    generation: str
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: bytes
    lane: str | None
    order: bytes | None
    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which history may be incomplete, as the capturer reported it through the log.

    `table` is None where every table of the source is concerned. `after` and `before` are places in the
    source's own words (LSNs), empty where unknown. `repaired_by` is the run that reads the tables anew after it.
    """

    source: str
    table: str | None
    after: str
    before: str
    cause: str
    repaired_by: int | None
    partition: Partition
    offset: int


@dataclass(frozen=True, slots=True)
class HistoryBatch:
    """Rows of one history table with everything that must move beside them, or not at all (Invariant 5).

    `rows` has the columns of `arrow_schema(shape)`. `fences` holds, for each span's partition, the fence this
    writer claimed; each span's `start` is the ledger's `next_offset` before the batch. `lanes` are the marks
    after the batch, only for lanes that moved.
    """

    table: str
    shape: TableShape
    rows: pa.Table
    spans: tuple[Span, ...]
    fences: Mapping[Partition, int]
    lanes: Mapping[tuple[Partition, str], LaneMark]
    quarantined: tuple[Quarantined, ...] = ()
    gaps: tuple[Gap, ...] = ()
