"""Measures the way from Postgres to Avro bytes and into the embedded log, beside the walsender's own ceiling.

Starts its own server on loopback, writes 300,000 inserts in one transaction and 100,000 updates in transactions of
1,000, and streams the same changes again and again: received and dropped, encoded, encoded and stored. Then it encodes
frames that are in memory, one by one and by whole columns, and reads the table by snapshot. Runs as
`python -m bench.postgres_encode`; prints Markdown tables and one line of JSON; rates are medians, ratios are of
neighbours.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import select
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain, islice, repeat
from pathlib import Path

import psycopg

from bench.stand import stand
from stenograph.events import TableId
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from stenograph.offsets import Position
from stenograph.ports import EncodedBatch, ReadRequest, Rereads, Start
from stenograph.registry.folder import FolderRegistry
from stenograph.sources.postgres.batch import BatchUnderway
from stenograph.sources.postgres.catalogue import Catalogue
from stenograph.sources.postgres.express import AT_ONCE, Express
from stenograph.sources.postgres.incoming import Incoming
from stenograph.sources.postgres.messages import Begin
from stenograph.sources.postgres.position import resume_point
from stenograph.sources.postgres.replication import ReplicationConnection, quoted
from stenograph.sources.postgres.session import connect, connect_for_replication
from stenograph.sources.postgres.settings import PostgresSettings
from stenograph.sources.postgres.source import PostgresSource, open_source
from stenograph.sources.postgres.table import CapturedTables, form_of_table
from stenograph.sources.postgres.transaction import OpenTransaction

TABLE = TableId("public", "lead")
UPDATES_IN_ONE = 1_000
LIMIT = 5_000
GATHER_SECONDS = 0.010
IN_MEMORY = 50_000
SECOND = timedelta(seconds=1)
CREATE = """
CREATE TABLE lead (
    id bigint PRIMARY KEY, email text, first_name text, last_name text, company text, status varchar(20) NOT NULL,
    score int, owner_id int, created_at timestamptz NOT NULL, updated_at timestamptz, attributes jsonb,
    amount numeric(12,2)
)
"""
INSERT = """
INSERT INTO lead SELECT i, 'user' || i || '@example.com', 'First' || i % 3000, 'Last' || i % 20000,
    'Company ' || i % 40000, (ARRAY['new','working','nurturing','qualified'])[1 + i % 4], i % 100, i % 200,
    '2024-01-01'::timestamptz + i * interval '1.000037 second', '2024-06-01'::timestamptz + i * interval '1 second',
    jsonb_build_object('source', 'web', 'n', i), (i % 1000000) / 100.0
FROM generate_series(1, {rows}) AS i
"""
UPDATE = "UPDATE lead SET score = score + 1, updated_at = now() WHERE id > {low} AND id <= {high}"


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds that the inserts and the updates took, and seconds of this process's CPU for both."""

    inserts: float
    updates: float
    cpu: float


@dataclass(slots=True)
class Clock:
    """Notes when the last insert and the last update came. What came first only starts it, and is not counted."""

    rows: int
    updates: int
    count: int = 0
    first: int = 0
    begun: float = 0.0
    inserted: float = 0.0
    cpu: float = field(default_factory=time.process_time)

    def add(self, count: int) -> bool:
        """Count; whether there is more to come."""
        now = time.perf_counter()
        if not self.begun and count:
            self.begun, self.first = now, count
        self.count += count
        if self.count >= self.rows and not self.inserted:
            self.inserted = now
        return self.count < self.rows + self.updates

    def run(self) -> Run:
        of_first = self.rows / (self.rows - self.first)
        return Run(
            (self.inserted - self.begun) * of_first,
            time.perf_counter() - self.inserted,
            time.process_time() - self.cpu,
        )


class NoRequests:
    """Nobody asks for a table to be read again."""

    def ask(self, request: ReadRequest) -> None: ...

    def pending(self) -> Sequence[ReadRequest]:
        return ()

    def forget(self, request: ReadRequest) -> None: ...


class Bench:
    """One server, the source's position before the changes, and the ways to stream them."""

    def __init__(self, dsn: str, folder: Path, rows: int, updates: int) -> None:
        self.dsn, self.folder, self.rows, self.updates = dsn, folder, rows, updates
        self._numbers = itertools.count(1)
        self.registry = FolderRegistry(folder / "registry")
        self.stored = self.started("bench")

    def settings(self, slot: str) -> PostgresSettings:
        return PostgresSettings(kind="postgres", name="crm", dsn="env:UNUSED", slot=slot, publication="bench")

    def open(self, slot: str, stored: Position | None, start: Start = Start.RESUME) -> PostgresSource:
        rereads = Rereads(NoRequests(), {})
        return open_source(
            self.dsn, self.settings(slot), [TABLE], self.registry, stored, rereads, start=start
        )

    def batches(self, slot: str, stored: Position | None) -> Iterator[EncodedBatch]:
        with closing(self.open(slot, stored)) as source:
            while True:
                yield source.poll(LIMIT, SECOND)

    def started(self, slot: str) -> Position:
        """The position of a run that has read the table."""
        stored: Position | None = None
        with closing(self.open(slot, None)) as source:
            while True:
                batch = source.poll(LIMIT, SECOND)
                if batch.upto is not None:
                    source.acknowledge(batch.upto)
                    stored = batch.upto
                    marks = resume_point(stored).tables
                    if marks and all(mark.reading.value == "read" for mark in marks.values()):
                        return stored

    def write(self) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(INSERT.format(rows=self.rows))
            for low in range(0, self.updates, UPDATES_IN_ONE):
                connection.execute(UPDATE.format(low=low, high=low + UPDATES_IN_ONE))
            connection.execute("VACUUM ANALYZE lead")

    def received(self) -> Run:
        """The ceiling: every frame is read and dropped."""
        clock = Clock(self.rows, self.updates)
        with closing(connect_for_replication(self.dsn)) as session:
            raw = session.pgconn
            raw.exec_(
                f"START_REPLICATION SLOT {quoted('bench')} LOGICAL 0/0 "
                "(proto_version '1', publication_names '\"bench\"', messages 'true')".encode()
            )
            more, pending = True, 0
            while more:
                size, data = raw.get_copy_data(1)
                if size == 0:
                    raw.consume_input()
                    size, data = raw.get_copy_data(1)
                    if size == 0:
                        select.select([raw.socket], [], [])
                        # Who wakes for every few frames costs the server more than who lets some gather.
                        time.sleep(GATHER_SECONDS)
                        continue
                frame = bytes(data)
                if frame[25:26] in (b"I", b"U"):
                    pending += 1
                    if pending == UPDATES_IN_ONE:
                        more, pending = clock.add(pending), 0
        return clock.run()

    def encoded(self) -> Run:
        """The source's batches, dropped."""
        clock = Clock(self.rows, self.updates)
        for batch in self.batches("bench", self.stored):
            if not clock.add(len(batch)):
                break
        return clock.run()

    def logged(self) -> Run:
        """The source's batches, appended durably."""
        clock = Clock(self.rows, self.updates)
        with tempfile.TemporaryDirectory(dir=self.folder) as folder, closing(self.log(folder)) as log:
            for batch in self.batches("bench", self.stored):
                log.append(batch)
                if not clock.add(len(batch)):
                    break
        return clock.run()

    def log(self, folder: str) -> EmbeddedLogWriter:
        return EmbeddedLogWriter(Path(folder) / "log.db", EmbeddedLogSettings(kind="embedded"))

    def in_memory(self, rounds: int) -> dict[str, float]:
        """CPU µs of encoding one insert, from frames that are in memory to a batch: one by one, and by columns."""
        frames = self.frames(min(self.rows, IN_MEMORY))
        with closing(connect(self.dsn)) as session:
            catalogue = Catalogue(session)
            found = catalogue.tables([TABLE])[TABLE]
            oid, key = found.signature.oid, found.signature.key
            form = form_of_table(TABLE, oid, "crm", key, None, catalogue)
        table = CapturedTables(self.registry).captured(form, oid, found.identity)
        figures = {}
        for name, at_once in (("one by one", len(frames) + 1), ("by whole columns", AT_ONCE)):
            express, seconds = Express("crm", "postgres", at_once), []
            for _ in range(rounds + 1):
                transaction = OpenTransaction(Begin(1 << 40, 1_700_000_000_000_000, 7), 1, None)
                express.open(oid.to_bytes(4, "big"), table, transaction)
                stream = chain(frames, repeat(b""))
                incoming = Incoming(lambda most, of=stream: [*islice(of, most)], lambda _: None)  # type: ignore[misc]
                began, frame = time.process_time(), incoming.next()
                while frame:
                    batch = BatchUnderway("crm", "bench", LIMIT)
                    frame = express.take(frame, incoming, transaction, batch, float("inf")) or incoming.next()
                    batch.finished(None)
                seconds.append(time.process_time() - began)
            # The first round compiles.
            figures[name] = statistics.median(seconds[1:]) / len(frames) * 1e6
        return figures

    def frames(self, count: int) -> list[bytes]:
        """The first inserts, as they come."""
        frames: list[bytes] = []
        with closing(ReplicationConnection(self.dsn)) as connection:
            connection.start("bench", "bench", 0)
            while len(frames) < count:
                frame = connection.frame()
                if frame is None:
                    connection.wait(time.monotonic() + 1)
                elif frame[25:26] == b"I":
                    frames.append(frame)
        return frames

    def snapshot(self) -> dict[str, float]:
        """Rows a second of the first reading: encoded only, and into the log."""
        rates = {}
        for name, store in (("snapshot → Avro bytes", False), ("snapshot → embedded log", True)):
            with (
                tempfile.TemporaryDirectory(dir=self.folder) as folder,
                closing(self.log(folder)) as log,
                closing(self.open(f"snapshot_{next(self._numbers)}", None)) as source,
            ):
                begun, count, first = 0.0, 0, 0
                while count < self.rows:
                    batch = source.poll(LIMIT, SECOND)
                    if len(batch) and not begun:
                        begun, first = time.perf_counter(), len(batch)
                    count += len(batch)
                    if store and (len(batch) or batch.upto):
                        log.append(batch)
                    if batch.upto is not None:
                        source.acknowledge(batch.upto)
                rates[name] = (self.rows - first) / (time.perf_counter() - begun)
        return rates


def measured(bench: Bench, rounds: int) -> dict[str, object]:
    """Each way in turn, so often; medians."""
    ways: dict[str, Callable[[], Run]] = {
        "receive only": bench.received,
        "stream → Avro bytes": bench.encoded,
        "stream → embedded log": bench.logged,
    }
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            runs[name].append(way())
    report: dict[str, object] = {}
    for name, of in runs.items():
        report[name] = {
            "inserts_per_s": round(bench.rows / statistics.median(r.inserts for r in of)),
            "updates_per_s": round(bench.updates / statistics.median(r.updates for r in of)),
            "of_ceiling_inserts": ratio(runs["receive only"], of, lambda r: r.inserts),
            "of_ceiling_updates": ratio(runs["receive only"], of, lambda r: r.updates),
            "of_ceiling": ratio(runs["receive only"], of, lambda r: r.inserts + r.updates),
            "cpu_us_per_change": round(
                statistics.median(r.cpu for r in of) / (bench.rows + bench.updates) * 1e6, 2
            ),
        }
    return report


def ratio(ceiling: list[Run], of: list[Run], seconds: Callable[[Run], float]) -> float:
    pairs = zip(ceiling, of, strict=True)
    return round(statistics.median(seconds(top) / seconds(run) for top, run in pairs), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--updates", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with stand() as place:
        with psycopg.connect(place.dsn, autocommit=True) as connection:
            connection.execute(CREATE)
        bench = Bench(place.dsn, place.folder, options.rows, options.updates)
        bench.write()
        report = measured(bench, options.rounds)
        in_memory = bench.in_memory(options.rounds)
        rates = bench.snapshot()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print("| path | inserts/s | updates/s | of receive only | inserts | updates | CPU µs a change |")
    print("|---|---|---|---|---|---|---|")
    for name, of in report.items():
        print(f"| {name} | {' | '.join(str(of[k]) for k in SHOWN)} |")  # type: ignore[index]
    print("\n| an insert in memory | CPU µs |\n|---|---|")
    for name, figure in in_memory.items():
        print(f"| {name} | {figure:.2f} |")
    print("\n| path | rows/s |\n|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {rate:.0f} |")
    print(f"\npeak memory of this process: {memory} MB\n")
    facts = {"stream": report, "encode_cpu_us": in_memory, "snapshot_rows_per_s": rates, "memory_mb": memory}
    print(json.dumps(facts, ensure_ascii=False))


SHOWN = (
    "inserts_per_s",
    "updates_per_s",
    "of_ceiling",
    "of_ceiling_inserts",
    "of_ceiling_updates",
    "cpu_us_per_change",
)

if __name__ == "__main__":
    main()
