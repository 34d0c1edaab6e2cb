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
    """The events of one lane, in the order in which they are added.

    `size` counts the values' bytes. Encoders that make no event append to the lists themselves, all six for each.
    """

    def __init__(self, source: str, lane: str, limit: int) -> None:
        self._source = source
        self._lane = lane
        self.limit = limit
        self.size = 0
        self.topics: list[str] = []
        self.keys: list[bytes | None] = []
        self.values: list[bytes | None] = []
        self.timestamps: list[int] = []
        self.orders: list[bytes] = []
        self.headers: list[Headers] = []

    def __len__(self) -> int:
        return len(self.values)

    @property
    def is_full(self) -> bool:
        """Whether the batch holds as much as it may."""
        return len(self.values) >= self.limit or self.size >= MAX_BATCH_BYTES

    def add(self, table: CapturedTable, event: ChangeEvent, order: bytes) -> None:
        """Encode the event and put it at the end."""
        value = table.encoder.value(event)
        self.size += len(value)
        self.topics.append(table.form.wire.topic)
        self.keys.append(table.encoder.key(event))
        self.values.append(value)
        self.timestamps.append(event.observed_at // 1_000_000)
        self.orders.append(order)
        self.headers.append(table.encoder.headers(event))

    def finished(self, upto: Position | None) -> EncodedBatch:
        """The batch as the log takes it."""
        return EncodedBatch(
            source=self._source,
            lane=self._lane,
            topics=self.topics,
            keys=self.keys,
            values=self.values,
            timestamps=self.timestamps,
            orders=self.orders,
            headers=self.headers,
            upto=upto,
        )
