"""Whatever a source sends and however slow the rest is, the loops' memory has a bound (Invariant 10).

The loops are real processes, so that their memory is theirs alone.
"""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

from stenograph.errors import WarehouseUnavailable
from tests import slow_ports
from tests.crash.commands import steno
from tests.crash.site import Site, until
from tests.fix_postgres import Database

CAPTURE_MEGABYTES = 150
SINK_MEGABYTES = 500
MANY_ROWS = 3_000_000
MANY_TABLES = 500
LARGE_MEGABYTES = 100
PATIENCE = 240.0
_SPAWN = multiprocessing.get_context("spawn")


def peak_megabytes(pid: int) -> float:
    """The most memory that the process has had resident; where the system does not say, what it has now."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except FileNotFoundError:
        found = None
    return megabytes(pid) if found is None else int(found[1]) / 1000


def megabytes(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def stored(site: Site) -> int:
    """Rows in history; asked only of a history that is there."""
    if not (site.wiring.site.state / "history.duckdb").exists():
        return 0
    try:
        ((rows,),) = site.query("SELECT coalesce(sum(stored), 0)::BIGINT FROM _steno_spans")
    except WarehouseUnavailable:
        # A busy sink has had it for longer than a reader waits.
        return 0
    assert isinstance(rows, int)
    return rows


def until_stored(site: Site, rows: int) -> None:
    """Wait with long rests: a reader takes the file from the sink."""
    deadline = time.monotonic() + PATIENCE
    while (found := stored(site)) < rows:
        assert time.monotonic() < deadline, f"{found} of {rows} rows are stored in time"
        time.sleep(0.5)


@contextmanager
def slowly(site: Site, loop: str, seconds: float) -> Iterator[BaseProcess]:
    """The loop in a process of its own, with appends that late."""
    process = _SPAWN.Process(target=slow_ports.run, args=(loop, str(site.file), seconds), name=loop)
    process.start()
    try:
        yield process
        assert process.is_alive(), f"the slow {loop} has ended"
    finally:
        process.terminate()
        process.join(30)
        if process.exitcode is None:
            process.kill()
            process.join()


def walsenders(database: Database) -> set[object]:
    return {
        pid
        for (pid,) in database.fetch(
            "SELECT active_pid FROM pg_replication_slots WHERE database = %s AND active", database.name
        )
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_transaction_of_three_million_rows_passes_in_bounded_memory(
    database: Database, tmp_path: Path
) -> None:
    database.execute("CREATE TABLE item (id int PRIMARY KEY, name text)")
    site = Site.make(tmp_path / "shop", database.dsn, ["item"])
    with steno(site, "capture") as capture, steno(site, "sink") as sink:
        site.until_read()
        database.execute(
            f"INSERT INTO item SELECT id, 'item ' || id FROM generate_series(1, {MANY_ROWS}) AS id"
        )
        until_stored(site, MANY_ROWS)
        assert peak_megabytes(capture.pid) < CAPTURE_MEGABYTES
        assert peak_megabytes(sink.pid) < SINK_MEGABYTES
    counts = site.query("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM public_item_history")
    assert counts == [(MANY_ROWS, MANY_ROWS, 1, MANY_ROWS)]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_five_hundred_tables_are_one_pipeline(database: Database, tmp_path: Path) -> None:
    tables = [f"part_{number}" for number in range(MANY_TABLES)]
    database.execute(
        "".join(
            f"CREATE TABLE {table} (id int PRIMARY KEY); INSERT INTO {table} VALUES (1);" for table in tables
        )
    )
    site = Site.make(tmp_path / "shop", database.dsn, tables)
    with steno(site, "capture") as capture, steno(site, "sink") as sink:
        until(lambda: len(site.read_tables()) == MANY_TABLES, "every table is read", PATIENCE)
        database.execute("".join(f"INSERT INTO {table} VALUES (2), (3);" for table in tables))
        until_stored(site, 3 * MANY_TABLES)
        assert peak_megabytes(capture.pid) < CAPTURE_MEGABYTES
        assert peak_megabytes(sink.pid) < SINK_MEGABYTES
    by_table = site.query(
        "SELECT history_table, sum(stored)::INTEGER FROM _steno_spans GROUP BY 1 HAVING sum(stored) > 0"
    )
    assert sorted(by_table) == sorted((f"public_{table}_history", 3) for table in tables)


def test_a_slow_log_keeps_capture_small_and_its_connection_alive(database: Database, tmp_path: Path) -> None:
    database.execute(
        "CREATE TABLE item (id int PRIMARY KEY, name text)",
        f"ALTER DATABASE {database.name} SET wal_sender_timeout = '2s'",
    )
    site = Site.make(tmp_path / "shop", database.dsn, ["item"])
    with slowly(site, "capture", 0.7) as capture:
        site.until_read()
        before = walsenders(database)
        database.execute("INSERT INTO item SELECT id, repeat('x', 1000) FROM generate_series(1, 60000) AS id")
        site.until_captured()
        assert walsenders(database) == before
        assert len(before) == 1
        assert capture.pid is not None
        assert peak_megabytes(capture.pid) < CAPTURE_MEGABYTES


def test_a_slow_warehouse_keeps_the_sink_small(database: Database, tmp_path: Path) -> None:
    database.execute("CREATE TABLE item (id int PRIMARY KEY, name text)")
    site = Site.make(tmp_path / "shop", database.dsn, ["item"])
    rows = 300_000
    with steno(site, "capture"):
        site.until_read()
        database.execute(
            f"INSERT INTO item SELECT id, repeat('x', 400) || id FROM generate_series(1, {rows}) AS id"
        )
        site.until_captured()
    with slowly(site, "sink", 1.0) as sink:
        until_stored(site, rows)
        assert sink.pid is not None
        assert peak_megabytes(sink.pid) < SINK_MEGABYTES


@pytest.mark.timeout(240)
def test_a_row_of_a_hundred_megabytes_passes_and_its_memory_is_given_back(
    database: Database, tmp_path: Path
) -> None:
    database.execute("CREATE TABLE note (id int PRIMARY KEY, body text)")
    site = Site.make(tmp_path / "shop", database.dsn, ["note"])
    with ExitStack() as exits:
        loops = {name: exits.enter_context(steno(site, name)).pid for name in ("capture", "sink")}
        site.until_read()
        database.execute("INSERT INTO note VALUES (0, 'small')")
        until_stored(site, 1)
        before = {name: megabytes(pid) for name, pid in loops.items()}
        database.execute(f"INSERT INTO note VALUES (1, repeat('0123456789', {LARGE_MEGABYTES * 100_000}))")
        until_stored(site, 2)
        grown = {name: peak_megabytes(pid) - before[name] for name, pid in loops.items()}
        database.execute("INSERT INTO note VALUES (2, 'small again')")
        until_stored(site, 3)

        def is_given_back() -> bool:
            # libpq keeps its receive buffer, one row's size, for as long as the connection lives.
            return all(megabytes(pid) - before[name] < 1.5 * LARGE_MEGABYTES for name, pid in loops.items())

        until(is_given_back, f"memory falls back; it had grown by {grown}")
        assert grown["capture"] < 6 * LARGE_MEGABYTES
        assert grown["sink"] < 7 * LARGE_MEGABYTES
    sizes = site.query("SELECT id, length(body) FROM public_note_history ORDER BY id")
    assert sizes == [(0, 5), (1, LARGE_MEGABYTES * 1_000_000), (2, 11)]
