"""A source that plays a script: a second, small implementation of the port, for tests without a database.

Forgets what was acknowledged, for good: a capturer that acknowledges too early really loses changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from stenograph.envelope.codec import EventEncoder
from stenograph.envelope.table import WireTable
from stenograph.events import ChangeEvent
from stenograph.offsets import Position, order_of
from stenograph.ports import EncodedBatch, ReadProgress, SchemaRegistry, Source
from tests.change_samples import LANE, SOURCE, encoder_of

Committed = Sequence[ChangeEvent]
"""The changes of one transaction, in their order."""


@dataclass(slots=True)
class Script:
    """What a server holds: committed transactions, of which those before `kept_from` are gone for ever.

    `transactions[n]` has the commit place n + 1. More may be appended while sources are open on it.
    """

    registry: SchemaRegistry
    tables: Sequence[WireTable]
    transactions: list[Committed]
    lane: str = LANE
    run: int = 1
    kept_from: int = 0
    encoders: dict[str, EventEncoder] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.encoders = {table.topic: encoder_of(table, self.registry) for table in self.tables}

    def open(self, stored: Position | None) -> Source:
        """A source that begins after `stored`, or after all that was ever acknowledged."""
        return ScriptedSource(self, max(_place(stored), self.kept_from))


class ScriptedSource:
    """Gives the script's changes, cut into batches wherever the limit falls, also inside a transaction."""

    def __init__(self, script: Script, after: int) -> None:
        self._script = script
        self._commit = after
        self._change = 0

    def poll(self, limit: int, wait: timedelta) -> EncodedBatch:
        """See `Source.poll`; never waits."""
        events: list[ChangeEvent] = []
        orders: list[bytes] = []
        upto: Position | None = None
        while len(events) < limit and self._commit < len(self._script.transactions):
            changes = self._script.transactions[self._commit]
            commit = self._commit + 1
            if self._change < len(changes):
                events.append(changes[self._change])
                orders.append(order_of(self._script.run, commit, commit, self._change))
                self._change += 1
            if self._change >= len(changes):
                upto = Position(order_of(self._script.run, commit, 0, 0), str(commit).encode())
                self._commit, self._change = commit, 0
            else:
                upto = None
        return self._encoded(events, orders, upto)

    def acknowledge(self, upto: Position) -> None:
        """See `Source.acknowledge`: what lies before is gone."""
        self._script.kept_from = max(self._script.kept_from, _place(upto))

    def keep_alive(self) -> None:
        """See `Source.keep_alive`."""

    def reading(self) -> ReadProgress | None:
        """See `Source.reading`: a script has no tables to read."""
        return None

    def close(self) -> None:
        """See `Source.close`."""

    def _encoded(
        self, events: Sequence[ChangeEvent], orders: Sequence[bytes], upto: Position | None
    ) -> EncodedBatch:
        topics = [event.origin.table.topic(SOURCE) for event in events]
        encoders = [self._script.encoders[topic] for topic in topics]
        return EncodedBatch(
            source=SOURCE,
            lane=self._script.lane,
            topics=topics,
            keys=[encoder.key(event) for encoder, event in zip(encoders, events, strict=True)],
            values=[encoder.value(event) for encoder, event in zip(encoders, events, strict=True)],
            timestamps=[event.observed_at // 1_000_000 for event in events],
            orders=orders,
            headers=[encoder.headers(event) for encoder, event in zip(encoders, events, strict=True)],
            upto=upto,
        )


def _place(position: Position | None) -> int:
    return 0 if position is None else int(position.resume)
