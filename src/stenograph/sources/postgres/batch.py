"""A batch of encoded events under construction.

Bounded by whoever fills it: `is_full` only says when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import pyarrow as pa

from stenograph.events import ChangeEvent
from stenograph.offsets import Position
from stenograph.packing import Coded, Packed, bounds, coded, packed
from stenograph.ports import EncodedBatch, Headers
from stenograph.sources.postgres.table import CapturedTable

MAX_BATCH_BYTES = 4 * 1024 * 1024
"""A batch ends at the event that reaches this, whatever its number of events (Invariant 10)."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EncodedRun:
    """Events one after the other, as parallel sequences like those of EncodedBatch."""

    topics: Sequence[str]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    timestamps: Sequence[int]
    orders: Sequence[bytes]
    headers: Sequence[Headers]

    def __len__(self) -> int:
        return len(self.values)


class BatchUnderway:
    """The events of one lane, in the order in which they are added.

    `size` counts the values' bytes. Encoders that make no event append to the lists themselves, all six for each.
    Trap: `add_run` puts other lists in their place.
    """

    def __init__(self, source: str, lane: str, limit: int) -> None:
        self._source = source
        self._lane = lane
        self.limit = limit
        self.size = 0
        self._runs: list[EncodedRun] = []
        self._in_runs = 0
        self._begin_lists()

    def _begin_lists(self) -> None:
        self.topics: list[str] = []
        self.keys: list[bytes | None] = []
        self.values: list[bytes | None] = []
        self.timestamps: list[int] = []
        self.orders: list[bytes] = []
        self.headers: list[Headers] = []

    def __len__(self) -> int:
        return self._in_runs + len(self.values)

    @property
    def is_full(self) -> bool:
        """Whether the batch holds as much as it may."""
        return len(self) >= self.limit or self.size >= MAX_BATCH_BYTES

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

    def add_run(self, run: EncodedRun) -> None:
        """Put the run at the end."""
        self._end_lists()
        self._runs.append(run)
        self._in_runs += len(run)
        places = bounds(packed(run.values))
        self.size += int(places[-1] - places[0])

    def finished(self, upto: Position | None) -> EncodedBatch:
        """The batch as the log takes it."""
        self._end_lists()
        of = _joined(self._runs)
        return EncodedBatch(
            source=self._source,
            lane=self._lane,
            topics=of.topics,
            keys=of.keys,
            values=of.values,
            timestamps=of.timestamps,
            orders=of.orders,
            headers=of.headers,
            upto=upto,
        )

    def _end_lists(self) -> None:
        if self.values:
            lists = self.topics, self.keys, self.values, self.timestamps, self.orders, self.headers
            self._runs.append(EncodedRun(*lists))
            self._in_runs += len(self.values)
            self._begin_lists()


def _joined(runs: Sequence[EncodedRun]) -> EncodedRun:
    match runs:
        case []:
            return EncodedRun([], [], [], [], [], [])
        case [run]:
            return run
        case _:
            return EncodedRun(
                _joined_codes([run.topics for run in runs]),
                _joined_bytes([run.keys for run in runs]),
                _joined_bytes([run.values for run in runs]),
                [millis for run in runs for millis in run.timestamps],
                # An order is never None.
                cast(Sequence[bytes], _joined_bytes([run.orders for run in runs])),
                _joined_codes([run.headers for run in runs]),
            )


def _joined_bytes(parts: Sequence[Sequence[bytes | None]]) -> Packed:
    return Packed(pa.concat_arrays([packed(part) for part in parts]))


def _joined_codes(parts: Sequence[Sequence[T]]) -> Coded[T]:
    choices: dict[T, int] = {}
    codes = []
    for part in map(coded, parts):
        places = [choices.setdefault(choice, len(choices)) for choice in part.choices]
        codes.append(np.array(places, np.int32)[part.codes])
    return Coded(tuple(choices), np.concatenate(codes))
