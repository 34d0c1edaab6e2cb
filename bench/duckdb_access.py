"""Measures how a DuckDB history can be read while the sink writes it; prints Markdown tables.

Does not use Stenograph's own code: it measures DuckDB, so that ADR 0002 can be judged again on another
version or another machine. One long file, because it runs alone from a copy wherever DuckDB is.
Needs free space of about three times the largest history, and POSIX locks.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import multiprocessing
import os
import random
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

BATCH_ROWS: Final = 1_000
PAUSE_SECONDS: Final = 0.005
PACED_SECONDS: Final = 0.2
RETRY_SECONDS: Final = (0.001, 0.006)
GATE_RETRY_SECONDS: Final = (0.001, 0.003)
DEADLINE_SECONDS: Final = 30.0
STATEMENT: Final = (
    "SELECT status, _steno_op, count(*), max(_steno_committed_at) FROM history GROUP BY ALL ORDER BY ALL"
)

SCHEMA: Final = """
CREATE TABLE history (
    id BIGINT, first_name VARCHAR, last_name VARCHAR, email VARCHAR, company VARCHAR, status VARCHAR,
    owner_id BIGINT, amount DECIMAL(18, 2), is_active BOOLEAN, created_at TIMESTAMP,
    updated_at TIMESTAMP, country VARCHAR,
    _steno_op VARCHAR, _steno_source VARCHAR, _steno_committed_at TIMESTAMP, _steno_changed_at TIMESTAMP,
    _steno_observed_at TIMESTAMP, _steno_recorded_at TIMESTAMP, _steno_lane VARCHAR, _steno_order VARCHAR,
    _steno_transaction BIGINT, _steno_log_partition INTEGER, _steno_log_offset BIGINT, _steno_schema VARCHAR,
    _steno_extra VARCHAR
);
CREATE TABLE ledger (log_partition INTEGER PRIMARY KEY, next_offset BIGINT, fence BIGINT);
CREATE TABLE spans (log_partition INTEGER, start BIGINT, stop BIGINT, stored BIGINT, recorded_at TIMESTAMP);
INSERT INTO ledger VALUES (0, 0, 1);
"""

ROWS: Final = """
SELECT hash(i) % 500000, 'First' || hash(i + 1) % 3000, 'Last' || hash(i + 2) % 20000,
    'user' || hash(i) % 500000 || '@example.com', 'Company ' || hash(i + 3) % 40000,
    ['new', 'working', 'nurturing', 'qualified', 'lost'][1 + (hash(i + 4) % 5)::INTEGER], hash(i + 5) % 200,
    (hash(i + 6) % 10000000)::DECIMAL(18, 2) / 100, hash(i + 7) % 9 > 0,
    TIMESTAMP '2020-01-01' + to_seconds((hash(i) % 90000000)::BIGINT),
    TIMESTAMP '2024-01-01' + to_milliseconds(i * 700),
    ['DE', 'FR', 'US', 'GB', 'JP'][1 + (hash(i + 8) % 5)::INTEGER],
    CASE hash(i + 9) % 10 WHEN 0 THEN 'create' WHEN 1 THEN 'delete' ELSE 'update' END, 'crm',
    TIMESTAMP '2024-01-01' + to_milliseconds(i * 700), TIMESTAMP '2024-01-01' + to_milliseconds(i * 700),
    TIMESTAMP '2024-01-01' + to_milliseconds(i * 700 + 40),
    TIMESTAMP '2024-01-01' + to_milliseconds(i * 700 + 900),
    'crm/0', lpad((i * 56)::VARCHAR, 20, '0') || '/' || i % 7, 900000 + i // 3, 0, i, 'a1b2c3d4e5f60718', NULL
FROM range({start}, {stop}) AS t(i)
"""


class OpenRefusedError(Exception):
    """A file did not open before the deadline; carries DuckDB's last words."""


@dataclass(frozen=True, slots=True)
class WriterTally:
    """What one continuous writer did: rows a second, and the seconds per append with its waiting."""

    rows_per_second: float
    appends: Sequence[float]


@dataclass(frozen=True, slots=True)
class ReaderTally:
    """What one looping reader saw: seconds waited for the file, and seconds open, per statement."""

    waits: Sequence[float]
    holds: Sequence[float]


def build(path: Path, rows: int) -> None:
    """Create a history of `rows` rows with 25 columns, checkpointed and closed."""
    with duckdb.connect(path) as connection:
        connection.execute(SCHEMA)
        for start in range(0, rows, 1_000_000):
            stop = min(start + 1_000_000, rows)
            connection.execute(f"INSERT INTO history {ROWS.format(start=start, stop=stop)}")
        connection.execute("UPDATE ledger SET next_offset = ?", [rows])


def arrow_rows(start: int) -> pa.Table:
    """One append's rows as the sink hands them over."""
    with duckdb.connect() as connection:
        connection.execute(SCHEMA)
        connection.execute(f"INSERT INTO history {ROWS.format(start=start, stop=start + BATCH_ROWS)}")
        found: pa.Table = connection.sql("FROM history").to_arrow_table()
        return found


def append(connection: duckdb.DuckDBPyConnection, batch: pa.Table) -> None:
    """Store the rows, a span and the ledger's move in one transaction."""
    try:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO history FROM batch")
        connection.execute(
            "INSERT INTO spans SELECT 0, next_offset, next_offset + ?, ?, now() FROM ledger", [len(batch)] * 2
        )
        moved = connection.execute(
            "UPDATE ledger SET next_offset = next_offset + ? WHERE fence = 1", [len(batch)]
        )
        assert moved.fetchall() == [(1,)]
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        raise


def open_in_turn(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open the file, again and again with jitter while another process holds it.

    Raise `OpenRefusedError` at the deadline.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            return duckdb.connect(path, read_only=read_only)
        except duckdb.IOException as error:
            if "Could not set lock" not in str(error):
                raise
            if time.monotonic() > deadline:
                raise OpenRefusedError(str(error)) from error
        time.sleep(random.uniform(*RETRY_SECONDS))


def lock_in_turn(descriptor: int, byte: int, kind: int) -> None:
    """Lock one byte of the gate, trying again with jitter; raise `OpenRefusedError` at the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            fcntl.lockf(descriptor, kind | fcntl.LOCK_NB, 1, byte)
        except OSError as error:
            if time.monotonic() > deadline:
                raise OpenRefusedError("The gate stayed shut.") from error
        else:
            return
        time.sleep(random.uniform(*GATE_RETRY_SECONDS))


@contextlib.contextmanager
def turn(path: Path, mode: str, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file for one turn and close it.

    In mode gate, byte 0 of a file beside it is a turnstile: a waiting writer keeps new readers out, and
    waiting readers keep the writer out. Byte 1 is the room. Who does not ask still meets DuckDB's own lock.
    """
    descriptor = os.open(path.with_suffix(".turn"), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if mode in ("gate", "paced"):
            kind = fcntl.LOCK_SH if read_only else fcntl.LOCK_EX
            lock_in_turn(descriptor, 0, kind)
            lock_in_turn(descriptor, 1, kind)
            fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, 0)
        with open_in_turn(path, read_only=read_only) as connection:
            yield connection
    finally:
        os.close(descriptor)


def write_in_turns(path: Path, mode: str, seconds: float, hold: float, answer: Connection) -> None:
    """Append without a rest, keeping the file for `hold` seconds at a time.

    Mode held keeps it to the end; mode paced for one append, then pauses.
    """
    batch, appends = arrow_rows(0), list[float]()
    began = time.monotonic()
    with contextlib.suppress(OpenRefusedError):
        while (wanted := time.monotonic()) < began + seconds:
            with turn(path, mode, read_only=False) as connection:
                ends = {"held": began + seconds, "paced": 0.0}.get(
                    mode, min(time.monotonic() + hold, began + seconds)
                )
                while True:
                    append(connection, batch)
                    appends.append(time.monotonic() - wanted)
                    wanted = time.monotonic()
                    if wanted > ends:
                        break
            time.sleep(PACED_SECONDS if mode == "paced" else PAUSE_SECONDS)
    answer.send(WriterTally(len(appends) * BATCH_ROWS / (time.monotonic() - began), appends))


def read_in_turns(path: Path, mode: str, seconds: float, _hold: float, answer: Connection) -> None:
    """Run the statement in a loop, one turn each."""
    waits, holds = list[float](), list[float]()
    began = wanted = time.monotonic()
    with contextlib.suppress(OpenRefusedError):
        while (wanted := time.monotonic()) < began + seconds:
            with turn(path, mode, read_only=True) as connection:
                opened = time.monotonic()
                connection.execute(STATEMENT).fetchall()
            waits.append(opened - wanted)
            holds.append(time.monotonic() - opened)
    answer.send(ReaderTally(waits, holds))


def share(
    path: Path, mode: str, readers: int, seconds: float, hold: float
) -> tuple[WriterTally, ReaderTally]:
    """Run one writer and `readers` readers on one file for `seconds`."""
    context = multiprocessing.get_context("spawn")
    running = []
    for target in (write_in_turns, *[read_in_turns] * readers):
        receive, send = context.Pipe(duplex=False)
        process = context.Process(target=target, args=(path, mode, seconds, hold, send))
        process.start()
        running.append((process, receive))
    (_, from_writer), *others = running
    writer: WriterTally = from_writer.recv()
    tallies: list[ReaderTally] = [receive.recv() for _, receive in others]
    for process, _ in running:
        process.join()
    return writer, ReaderTally([w for t in tallies for w in t.waits], [h for t in tallies for h in t.holds])


def hold_with_wal(path: Path, answer: Connection) -> None:
    """Commit one append, leave a second one uncommitted, and wait to be killed."""
    connection, batch = duckdb.connect(path), arrow_rows(0)
    append(connection, batch)
    connection.execute("BEGIN")
    connection.execute("INSERT INTO history FROM batch")
    answer.send("ready")
    signal.pause()


def ms(seconds: float) -> str:
    """Milliseconds with one decimal."""
    return f"{seconds * 1000:.1f}"


def quantile(values: Sequence[float], share_below: float) -> str:
    """A quantile in milliseconds, or a dash where nothing was measured."""
    return ms(sorted(values)[min(len(values) - 1, int(len(values) * share_below))]) if values else "-"


def seconds_of(action: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def megabytes(path: Path) -> str:
    """File size in MB with one decimal."""
    return f"{path.stat().st_size / 1e6:.1f}"


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print one Markdown table."""
    print(f"\n### {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def measure_turns(path: Path, rows: int) -> None:
    """Print what one turn costs: open, append, close, a reader's turn, and a copy of the file."""
    batch, opens, appends, closes, reads = (
        arrow_rows(rows),
        list[float](),
        list[float](),
        list[float](),
        list[float](),
    )
    for _ in range(30):
        began = time.perf_counter()
        connection = duckdb.connect(path)
        opens.append(time.perf_counter() - began)
        appends.append(seconds_of(lambda c=connection: append(c, batch)))  # type: ignore[misc]
        closes.append(seconds_of(connection.close))
    for _ in range(10):
        reads.append(seconds_of(lambda: read_once(path)))
    refusals = refuse(path)
    copies = [seconds_of(lambda: publish_copy(path)) for _ in range(3)]
    figures = [
        (name, ms(statistics.median(v)), ms(max(v)))
        for name, v in (
            ("open", opens),
            ("append 1,000 rows and commit", appends),
            ("close (checkpoint)", closes),
            ("reader: open, group by, close", reads),
            ("an open that is refused", refusals),
            ("(C) copy, fsync, rename", copies),
        )
    ]
    table(f"One turn, {rows:,} rows, {megabytes(path)} MB", ("step", "median ms", "max ms"), figures)


def refuse(path: Path) -> list[float]:
    """Seconds that each of 20 opens took to be refused while another process held the file."""
    receive, send = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=hold_with_wal, args=(path, send))
    process.start()
    receive.recv()
    spent = []
    for _ in range(20):
        began = time.perf_counter()
        with contextlib.suppress(duckdb.IOException):
            duckdb.connect(path, read_only=True)
        spent.append(time.perf_counter() - began)
    process.kill()
    process.join()
    return spent


def read_once(path: Path) -> None:
    """One reader's turn."""
    with duckdb.connect(path, read_only=True) as connection:
        connection.execute(STATEMENT).fetchall()


def publish_copy(path: Path) -> None:
    """Candidate C: replace the readers' copy atomically."""
    copy = path.with_suffix(".copy")
    shutil.copyfile(path, copy)
    with copy.open("rb") as handle:
        os.fsync(handle.fileno())
    copy.replace(path.with_suffix(".published"))
    path.with_suffix(".published").unlink()


def measure_sharing(path: Path, rows: int, seconds: float, hold: float) -> None:
    """Print throughput and waiting with no, one and three readers, with and without the gate."""
    lines = []
    for mode, readers in (
        ("held", 0),
        ("free", 0),
        ("free", 1),
        ("free", 3),
        ("gate", 0),
        ("gate", 1),
        ("gate", 3),
        ("paced", 3),
    ):
        copy = path.with_suffix(".shared")
        shutil.copyfile(path, copy)
        writer, reader = share(copy, mode, readers, seconds, hold)
        copy.unlink()
        longest = ms(max(writer.appends)) if writer.appends else "never"
        lines.append(
            (
                mode,
                readers,
                f"{writer.rows_per_second:,.0f}",
                quantile(writer.appends, 0.5),
                quantile(writer.appends, 0.99),
                longest,
                len(reader.holds),
                quantile(reader.waits, 0.5),
                quantile(reader.waits, 0.99),
                ms(max(reader.waits)) if reader.waits else "-",
                quantile(reader.holds, 0.5),
            )
        )
    table(
        f"Sharing for {seconds:g} s, writer's hold {hold * 1000:g} ms, {rows:,} rows",
        (
            "mode",
            "readers",
            "rows/s",
            "append p50 ms",
            "p99",
            "max",
            "statements",
            "reader waits p50 ms",
            "p99",
            "max",
            "reader holds p50 ms",
        ),
        lines,
    )


def measure_growth(path: Path, rows: int, turns: int) -> None:
    """Print the file's size after many small appends with a close after each, against one close."""
    batch, lines = arrow_rows(rows).slice(0, 100), []
    for name, closes in (("close after each", True), ("one close", False)):
        copy = path.with_suffix(".growth")
        shutil.copyfile(path, copy)
        before, began = megabytes(copy), time.perf_counter()
        connection = duckdb.connect(copy)
        sizes, spent = list[str](), list[float]()
        for turn in range(1, turns + 1):
            append(connection, batch)
            if closes:
                spent.append(seconds_of(connection.close))
                connection = duckdb.connect(copy)
            if turn % (turns // 4) == 0:
                sizes.append(megabytes(copy))
        connection.close()
        lines.append(
            (
                name,
                before,
                " / ".join(sizes),
                megabytes(copy),
                f"{time.perf_counter() - began:.1f}",
                quantile(spent[: turns // 4], 0.5),
                quantile(spent[-turns // 4 :], 0.5),
            )
        )
        copy.unlink()
    table(
        f"{turns:,} appends of 100 rows, {rows:,} rows",
        (
            "how",
            "MB before",
            "at each quarter",
            "MB after",
            "seconds",
            "close p50 ms, first quarter",
            "last quarter",
        ),
        lines,
    )


def measure_kill(path: Path, rows: int) -> None:
    """Print what readers find after the sink is killed with a commit in the WAL and a transaction open."""
    context = multiprocessing.get_context("spawn")
    with duckdb.connect(path, read_only=True) as connection:
        before = count(connection)
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=hold_with_wal, args=(path, send))
    process.start()
    receive.recv()
    process.kill()
    process.join()
    wal = Path(f"{path}.wal")
    facts: list[tuple[str, object]] = [("WAL bytes after kill -9", wal.stat().st_size)]
    with duckdb.connect(path, read_only=True) as first, duckdb.connect(path, read_only=True) as second:
        facts.append(("committed rows a reader sees (1,000 written)", count(first) - before))
        facts.append(("a second reader sees", count(second) - before))
    facts.append(("WAL still there after readers closed", wal.exists()))
    facts.append(("reader's turn with the WAL there, ms", ms(seconds_of(lambda: read_once(path)))))
    with duckdb.connect(path) as connection:
        facts.append(("next writer sees", count(connection) - before))
    facts.append(("WAL still there after the writer closed", wal.exists()))
    table(f"kill -9 of the holder, {rows:,} rows", ("fact", "value"), facts)


def count(connection: duckdb.DuckDBPyConnection) -> int:
    """Rows in the history."""
    found = connection.execute("SELECT count(*) FROM history").fetchone()
    assert found is not None
    return int(found[0])


def measure_segments(folder: Path, segments: int) -> None:
    """Candidate D: publish one Parquet segment per append and read them through a view."""
    folder.mkdir()
    batch, publishes = arrow_rows(0), list[float]()
    with duckdb.connect() as connection:
        for number in range(segments):
            name = folder / f"{number:06}.parquet"
            began = time.perf_counter()
            connection.register("batch", batch)
            connection.execute(f"COPY (FROM batch) TO '{name}.part' (FORMAT parquet)")
            part = Path(f"{name}.part")
            with part.open("rb") as handle:
                os.fsync(handle.fileno())
            part.replace(name)
            publishes.append(time.perf_counter() - began)
    views = folder / "views.duckdb"
    with duckdb.connect(views) as connection:
        connection.execute(f"CREATE VIEW history AS FROM read_parquet('{folder}/*.parquet')")
    reads = [seconds_of(lambda: read_once(views)) for _ in range(5)]
    whole = folder / "whole.duckdb"
    with duckdb.connect(whole) as connection:
        connection.execute(SCHEMA)
        connection.execute(f"INSERT INTO history FROM read_parquet('{folder}/*.parquet')")
    table(
        f"(D) {segments} Parquet segments of 1,000 rows",
        ("step", "median ms", "max ms"),
        [
            ("publish one segment", ms(statistics.median(publishes)), ms(max(publishes))),
            ("open views, group by, close", ms(statistics.median(reads)), ms(max(reads))),
            (
                "the same rows in a DuckDB file",
                ms(statistics.median([seconds_of(lambda: read_once(whole)) for _ in range(5)])),
                "-",
            ),
            (
                "MB of segments / of the file",
                f"{sum(f.stat().st_size for f in folder.glob('*.parquet')) / 1e6:.1f}",
                megabytes(whole),
            ),
        ],
    )


def main() -> None:
    """Run every measurement for every size asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[0, 1_000_000], help="history sizes to measure"
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="length of one sharing run")
    parser.add_argument(
        "--hold-ms", type=int, nargs="+", default=[250], help="how long a busy writer keeps the file"
    )
    parser.add_argument("--turns", type=int, default=2_000, help="appends in the growth run; 0 leaves it out")
    parser.add_argument("--segments", type=int, default=500, help="Parquet segments; 0 leaves them out")
    options = parser.parse_args()
    print(f"DuckDB {duckdb.__version__}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="duckdb-access-") as folder:
        if options.segments:
            measure_segments(Path(folder, "segments"), options.segments)
        for rows in options.rows:
            path = Path(folder, f"history-{rows}.duckdb")
            build(path, rows)
            measure_turns(path, rows)
            measure_kill(path, rows)
            if options.turns:
                measure_growth(path, rows, options.turns)
            for hold in options.hold_ms:
                measure_sharing(path, rows, options.seconds, hold / 1000)
            path.unlink()


if __name__ == "__main__":
    main()
