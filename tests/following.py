"""A capture of any source whose log is a list: what the contract suites read their facts from.

Knows the port only; tests/capturing.py is its counterpart for facts of Postgres.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from stenograph.envelope.framing import schema_id_of
from stenograph.envelope.reading import EventReader, KeyReader, Writer
from stenograph.events import Op
from stenograph.offsets import Position
from stenograph.ports import EncodedBatch, Headers, Source
from tests.source_adapters import TABLES, Edit, SourceAdapter, commit, create, update

SOON = timedelta(milliseconds=50)
PATIENCE = 20.0
SEED = 1_000_000
"""The row of each table that `streaming` needs for itself."""
_PROCESSING_TIMES = ("ts_ms", "ts_us", "ts_ns")


@dataclass(frozen=True, slots=True)
class Given:
    """One record. `schema` and `datum` are its value but for when it was processed: the bytes that must repeat."""

    lane: str
    order: bytes
    edit: Edit
    topic: str
    key: bytes | None
    schema: int
    datum: object
    headers: Headers


@dataclass(slots=True)
class Following:
    """A source, what it gave, and the position that the log holds."""

    adapter: SourceAdapter
    limit: int = 1000
    batches: list[EncodedBatch] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    opened: Source | None = None

    @property
    def source(self) -> Source:
        if self.opened is None:
            self.opened = self.adapter.open(self.stored)
        return self.opened

    @property
    def stored(self) -> Position | None:
        return self.positions[-1] if self.positions else None

    @property
    def given(self) -> list[Given]:
        """Every record that the log holds."""
        return given_in(self.adapter, self.batches)

    @property
    def edits(self) -> list[Edit]:
        return [one.edit for one in self.given]

    def commit(self, *transactions: Sequence[Edit]) -> None:
        commit(self.adapter, *transactions)

    def step(self) -> EncodedBatch:
        """Take one batch into the log, then acknowledge it."""
        batch = self.source.poll(self.limit, SOON)
        self.batches.append(batch)
        if batch.upto is not None:
            self.positions.append(batch.upto)
            self.source.acknowledge(batch.upto)
        return batch

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            self.step()

    def until_given(self, count: int) -> None:
        """Until the log holds that many records and a position after them."""
        self.until(lambda: sum(map(len, self.batches)) >= count and _is_settled(self.adapter, self.batches))

    def look(self, count: int) -> list[EncodedBatch]:
        """Batches with that many records, which the log does not take and nobody acknowledges."""
        return self._look(lambda looked: sum(map(len, looked)) >= count)

    def look_on(self, count: int) -> list[EncodedBatch]:
        """The same, and on to the position after them."""
        return self._look(lambda looked: sum(map(len, looked)) >= count and _is_settled(self.adapter, looked))

    def _look(self, is_enough: Callable[[Sequence[EncodedBatch]], bool]) -> list[EncodedBatch]:
        looked: list[EncodedBatch] = []
        deadline = time.monotonic() + PATIENCE
        while not is_enough(looked):
            assert time.monotonic() < deadline, "the changes did not come in time"
            looked.append(self.source.poll(self.limit, SOON))
        return looked

    def reopen(self) -> None:
        """Open the source anew at the position that the log holds, as a capture does that was killed."""
        self.close()
        self.opened = self.adapter.open(self.stored)

    def close(self) -> None:
        if self.opened is not None:
            self.opened.close()
            self.opened = None


def _is_settled(adapter: SourceAdapter, batches: Sequence[EncodedBatch]) -> bool:
    """Whether a position follows the last record: the end of a transaction may come after its changes."""
    orders = [order for batch in batches for order in batch.orders]
    positions = [batch.upto for batch in batches if batch.upto is not None]
    return not orders or (bool(positions) and adapter.covers(positions[-1], orders[-1]))


def given_in(adapter: SourceAdapter, batches: Sequence[EncodedBatch]) -> list[Given]:
    """The records of these batches, read with the schemas that the source registered."""
    given = []
    for batch in batches:
        for topic, key, value, order, headers in zip(
            batch.topics, batch.keys, batch.values, batch.orders, batch.headers, strict=True
        ):
            assert key is not None
            assert value is not None
            row_key = KeyReader(_schema(adapter, key)).read(key)
            reader = EventReader(_schema(adapter, value))
            event = reader.read(value, row_key, headers, Writer.OURS)
            number, status = row_key["id"], None if event.after is None else event.after["status"]
            assert isinstance(number, int)
            assert status is None or isinstance(status, str)
            edit = Edit(event.op, number, status, event.origin.table)
            datum = {
                name: part for name, part in reader.decode(value).items() if name not in _PROCESSING_TIMES
            }
            given.append(Given(batch.lane, order, edit, topic, key, int(schema_id_of(value)), datum, headers))
    return given


def _schema(adapter: SourceAdapter, message: bytes) -> str:
    schema = adapter.registry.fetch(schema_id_of(message))
    assert schema is not None
    return schema


@contextmanager
def following(adapter: SourceAdapter) -> Iterator[Following]:
    """A capture that has not begun yet."""
    capture = Following(adapter)
    try:
        yield capture
    finally:
        capture.close()


@contextmanager
def streaming(adapter: SourceAdapter) -> Iterator[Following]:
    """A capture that has read what was there and follows what is committed now, with an empty list of records."""
    with following(adapter) as capture:
        capture.commit([create(SEED, table=table) for table in TABLES])
        # What was there before may be given as read or as created: by its row alone it is known.
        capture.until(
            lambda: {(edit.table, edit.id) for edit in capture.edits} == {(t, SEED) for t in TABLES}
        )
        # A change that is streamed says that both tables are read.
        marks = [update(SEED, "streaming", table=table) for table in TABLES]
        capture.commit(marks)
        capture.until(lambda: set(marks) <= set(capture.edits) and _is_settled(adapter, capture.batches))
        capture.batches.clear()
        yield capture


def rows_after(given: Sequence[Given]) -> set[tuple[str, int, str | None]]:
    """The rows that these changes leave: table, id, status."""
    rows: dict[tuple[str, int], str | None] = {}
    for one in given:
        place = (one.edit.table.name, one.edit.id)
        match one.edit.op:
            case Op.DELETE:
                # A delete of a row that is not there would be a change lost before it.
                del rows[place]
            case _:
                assert (place in rows) == (one.edit.op is Op.UPDATE)
                rows[place] = one.edit.status
    return {(table, number, status) for (table, number), status in rows.items()}
