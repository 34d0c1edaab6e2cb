"""A capture whose log is a list: what the Postgres source's tests read their facts from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from stenograph.envelope.framing import schema_id_of
from stenograph.envelope.gap import ReadGap, read_gap
from stenograph.envelope.reading import EventReader, KeyReader, Writer
from stenograph.envelope.table import WireColumn
from stenograph.events import ChangeEvent, TableId
from stenograph.offsets import Position
from stenograph.ports import EncodedBatch, Headers, ReadRequest, Rereads, Start
from stenograph.schemas import OnRewrite, SchemaId
from stenograph.sources.postgres.settings import PostgresSettings
from stenograph.sources.postgres.source import PostgresSource, open_source

SOON = timedelta(milliseconds=50)
PATIENCE = 20.0


@dataclass(slots=True)
class ListRegistry:
    """Schemas in a list; an id is a place in it, from 1."""

    schemas: list[str] = field(default_factory=list)
    subjects: dict[str, list[SchemaId]] = field(default_factory=dict)

    def register(self, subject: str, schema: str) -> SchemaId:
        if schema not in self.schemas:
            self.schemas.append(schema)
        schema_id = self.schemas.index(schema) + 1
        versions = self.subjects.setdefault(subject, [])
        if schema_id not in versions:
            versions.append(schema_id)
        return schema_id

    def fetch(self, schema_id: SchemaId) -> str | None:
        return self.schemas[schema_id - 1] if 0 < schema_id <= len(self.schemas) else None

    def latest(self, subject: str) -> tuple[SchemaId, str] | None:
        versions = self.subjects.get(subject)
        return None if not versions else (versions[-1], self.schemas[versions[-1] - 1])


@dataclass(slots=True)
class ListRequests:
    """Requests in a list."""

    kept: list[ReadRequest] = field(default_factory=list)

    def ask(self, request: ReadRequest) -> None:
        self.kept.append(request)

    def pending(self) -> list[ReadRequest]:
        return sorted(self.kept, key=lambda request: request.id)

    def forget(self, request: ReadRequest) -> None:
        if request in self.kept:
            self.kept.remove(request)


def no_rereads() -> Rereads:
    """Nobody asks for anything, and every table has the default policy."""
    return Rereads(ListRequests(), {})


@dataclass(frozen=True, slots=True)
class Logged:
    """One record as it was appended."""

    lane: str
    topic: str
    key: bytes | None
    value: bytes
    order: bytes
    headers: Headers


@dataclass(slots=True)
class Capturing:
    """A source and its list log; `run_until` makes steps until a condition holds."""

    dsn: str
    tables: Sequence[TableId]
    settings: PostgresSettings
    registry: ListRegistry = field(default_factory=ListRegistry)
    requests: ListRequests = field(default_factory=ListRequests)
    on_rewrite: dict[TableId, OnRewrite] = field(default_factory=dict)
    records: list[Logged] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    source: PostgresSource | None = None
    limit: int = 1000
    readers: dict[SchemaId, EventReader] = field(default_factory=dict)
    key_readers: dict[SchemaId, KeyReader] = field(default_factory=dict)

    @property
    def stored(self) -> Position | None:
        return self.positions[-1] if self.positions else None

    def open(self, start: Start = Start.RESUME) -> PostgresSource:
        self.close()
        rereads = Rereads(self.requests, self.on_rewrite)
        self.source = open_source(
            self.dsn, self.settings, self.tables, self.registry, self.stored, rereads, start=start
        )
        return self.source

    def close(self) -> None:
        if self.source is not None:
            self.source.close()
            self.source = None

    def step(self, wait: timedelta = SOON) -> EncodedBatch:
        source = self.source or self.open()
        batch = source.poll(self.limit, wait)
        self.append(batch)
        if batch.upto is not None:
            source.acknowledge(batch.upto)
        return batch

    def unacknowledged_move(self) -> EncodedBatch:
        """Poll until the position moves; store it, and acknowledge nothing."""
        source = self.source or self.open()
        deadline = time.monotonic() + PATIENCE
        while True:
            batch = source.poll(self.limit, SOON)
            self.append(batch)
            if batch.upto is not None:
                return batch
            assert time.monotonic() < deadline, "the position did not move in time"

    def append(self, batch: EncodedBatch) -> None:
        for place, value in enumerate(batch.values):
            assert value is not None
            self.records.append(
                Logged(
                    batch.lane,
                    batch.topics[place],
                    batch.keys[place],
                    value,
                    batch.orders[place],
                    batch.headers[place],
                )
            )
        if batch.upto is not None:
            if self.positions:
                assert batch.upto.order >= self.positions[-1].order
            self.positions.append(batch.upto)

    def run_until(self, condition: Callable[[], bool], patience: float = PATIENCE) -> None:
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            self.step()

    def run_until_records(self, count: int) -> None:
        self.run_until(lambda: len(self.records) >= count)

    def events(self, start: int = 0) -> list[ChangeEvent]:
        return [self.event(record) for record in self.records[start:] if not self.is_gap(record)]

    def columns(self, topic: str) -> tuple[WireColumn, ...]:
        """The columns of the topic's newest schema."""
        latest = self.registry.latest(f"{topic}-value")
        assert latest is not None
        return EventReader(latest[1]).columns

    def is_gap(self, record: Logged) -> bool:
        return record.topic.endswith(".message")

    def event(self, record: Logged) -> ChangeEvent:
        key = None if record.key is None else self._key_reader(record.key).read(record.key)
        return self._reader(record.value).read(record.value, key, record.headers, Writer.OURS)

    def _key_reader(self, message: bytes) -> KeyReader:
        number = schema_id_of(message)
        if number not in self.key_readers:
            self.key_readers[number] = KeyReader(self.registry.schemas[number - 1])
        return self.key_readers[number]

    def _reader(self, message: bytes) -> EventReader:
        number = schema_id_of(message)
        if number not in self.readers:
            self.readers[number] = EventReader(self.registry.schemas[number - 1])
        return self.readers[number]

    def gaps(self) -> list[ReadGap | None]:
        return [read_gap(self._reader(r.value).decode(r.value)) for r in self.records if self.is_gap(r)]


@contextmanager
def capturing(dsn: str, *tables: str, name: str = "crm", slot: str | None = None) -> Iterator[Capturing]:
    """A capture of these tables, closed at the end."""
    ids = [TableId(*table.split(".", 1)) if "." in table else TableId("public", table) for table in tables]
    database = dsn.rsplit("/", 1)[1]
    settings = PostgresSettings(
        kind="postgres",
        name=name,
        dsn="env:UNUSED",
        slot=slot or f"steno_{database}",
        publication="steno_test",
    )
    capture = Capturing(dsn, ids, settings)
    try:
        yield capture
    finally:
        capture.close()
