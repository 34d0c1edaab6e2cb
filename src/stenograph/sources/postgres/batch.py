"""A batch of encoded events under construction.

Bounded by whoever fills it: `is_full` only says when.
"""

from __future__ import annotations

from stenograph.events import ChangeEvent
from stenograph.offsets import Position
from stenograph.ports import EncodedBatch, Headers
from stenograph.sources.postgres.table import CapturedTable

MAX_BATCH_BYTES = 8 * 1024 * 1024
"""A batch ends at the event that reaches this, whatever its number of events (Invariant 10)."""


class BatchUnderway:
    """The events of one lane, in the order in which they are added."""

    def __init__(self, source: str, lane: str, limit: int) -> None:
        self._source = source
        self._lane = lane
        self._limit = limit
        self._bytes = 0
        self._topics: list[str] = []
        self._keys: list[bytes | None] = []
        self._values: list[bytes | None] = []
        self._timestamps: list[int] = []
        self._orders: list[bytes] = []
        self._headers: list[Headers] = []

    def __len__(self) -> int:
        return len(self._values)

    @property
    def is_full(self) -> bool:
        """Whether the batch holds as much as it may."""
        return len(self._values) >= self._limit or self._bytes >= MAX_BATCH_BYTES

    def add(self, table: CapturedTable, event: ChangeEvent, order: bytes) -> None:
        """Encode the event and put it at the end."""
        value = table.encoder.value(event)
        self._bytes += len(value)
        self._topics.append(table.form.wire.topic)
        self._keys.append(table.encoder.key(event))
        self._values.append(value)
        self._timestamps.append(event.observed_at // 1_000_000)
        self._orders.append(order)
        self._headers.append(table.encoder.headers(event))

    def finished(self, upto: Position | None) -> EncodedBatch:
        """The batch as the log takes it."""
        return EncodedBatch(
            source=self._source,
            lane=self._lane,
            topics=self._topics,
            keys=self._keys,
            values=self._values,
            timestamps=self._timestamps,
            orders=self._orders,
            headers=self._headers,
            upto=upto,
        )
