"""What happens to a DuckDB history when the file, its folder, its disk or another process stands in the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from stenograph.errors import LedgerMoved, WarehouseRefused, WarehouseUnavailable
from stenograph.warehouses.duckdb import connection
from stenograph.warehouses.duckdb.connection import Access
from stenograph.warehouses.duckdb.console import DuckDBConsole
from stenograph.warehouses.duckdb.gate import gate_of
from stenograph.warehouses.duckdb.reader import DuckDBHistoryReader
from stenograph.warehouses.duckdb.settings import DuckDBSettings
from stenograph.warehouses.duckdb.warehouse import DuckDBWarehouse
from tests.history_batches import (
    GENERATION,
    TABLE,
    Stretch,
    assigned,
    batch,
    change,
    history_rows,
    partition,
    stretch,
)

_ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, duckdb
held = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read-only")
print("held", flush=True)
sys.stdin.read()
"""
RESTLESS = """
import sys, threading
from pathlib import Path
from stenograph.warehouses.duckdb.console import DuckDBConsole
ended = threading.Event()
def wait():
    sys.stdin.read()
    ended.set()
threading.Thread(target=wait, daemon=True).start()
seen = 0
while not ended.is_set():
    now = DuckDBConsole(Path(sys.argv[1])).query("SELECT max(stop) AS reached FROM _steno_spans").rows.to_pylist()
    assert now[0]["reached"] >= seen
    seen = now[0]["reached"]
"""
SHUT = """
import fcntl, sys
gate = open(sys.argv[1], "r+b")
fcntl.lockf(gate, fcntl.LOCK_EX, 2)
print("shut", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.duckdb"


def writer(path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(path, DuckDBSettings(kind="duckdb"))


def make_history(path: Path, rows: int = 2) -> None:
    with closing(writer(path)) as warehouse:
        warehouse.evolve(change())
        warehouse.append(batch(stretch(warehouse.claim("w", assigned(0))[partition()], rows)))


@contextmanager
def held(path: Path, mode: str) -> Iterator[subprocess.Popen[str]]:
    """The file open in another process."""
    command = [sys.executable, "-c", HOLDER, str(path), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("mode", ["read-write", "read-only"])
@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_the_writer_names_the_process_that_holds_the_file_and_goes_on_after_it(
    path: Path, mode: str, stopped: bool
) -> None:
    make_history(path)
    with closing(writer(path)) as warehouse:
        with held(path, mode) as holder:
            if stopped:
                holder.send_signal(signal.SIGSTOP)
            with pytest.raises(WarehouseUnavailable) as refusal:
                warehouse.claim("w", assigned(0))
        assert refusal.value.facts["pid"] == holder.pid
        assert str(holder.pid) in refusal.value.summary
        assert warehouse.claim("w", assigned(0))[partition()].fence == 2


def test_a_reader_names_the_process_that_holds_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_history(path)
    monkeypatch.setattr(connection, "READER_PATIENCE_SECONDS", 0.2)
    with held(path, "read-write") as holder:
        with pytest.raises(WarehouseUnavailable) as refusal:
            DuckDBHistoryReader(path).ledger()
        with pytest.raises(WarehouseUnavailable, match=str(holder.pid)):
            DuckDBConsole(path).query("SELECT 1")
    assert refusal.value.facts["pid"] == holder.pid


def test_readers_of_several_processes_do_not_hinder_each_other(path: Path) -> None:
    make_history(path)
    with held(path, "read-only"):
        assert DuckDBHistoryReader(path).ledger()[partition()].next_offset == 2


def test_readers_that_overlap_do_not_keep_the_writer_out(path: Path) -> None:
    make_history(path)
    readers = [
        subprocess.Popen([sys.executable, "-c", RESTLESS, str(path)], stdin=subprocess.PIPE, cwd=_ROOT)
        for _ in range(3)
    ]
    try:
        with closing(writer(path)) as warehouse:
            mark = warehouse.claim("w", assigned(0))[partition()]
            for start in range(2, 32, 2):
                warehouse.append(batch(Stretch(start, start + 2, mark.fence)))
                warehouse.close()
        for reader in readers:
            assert reader.poll() is None
            reader.communicate()
        assert [reader.returncode for reader in readers] == [0, 0, 0]
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()
    assert assert_whole(path) == 32


def test_a_gate_that_stays_shut_is_passed_by(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_history(path)
    monkeypatch.setattr(connection, "READER_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(connection, "WRITER_PATIENCE_SECONDS", 0.2)
    command = [sys.executable, "-c", SHUT, str(gate_of(path))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "shut\n"
        assert DuckDBHistoryReader(path).ledger()[partition()].fence == 1
        with closing(writer(path)) as warehouse:
            assert warehouse.claim("w", assigned(0))[partition()].fence == 2
        process.kill()


def test_a_writer_killed_in_mid_work_leaves_a_file_that_others_read_and_write(path: Path) -> None:
    command = [sys.executable, "-m", "tests.history_writer", "duckdb", str(path.parent), "0"]
    with subprocess.Popen(
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        reader = DuckDBHistoryReader(path)
        while not reader.spans():
            assert process.poll() is None
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert_whole(path)
    make_more = writer(path)
    make_more.append(batch(stretch(make_more.claim("w", assigned(0))[partition()], 2)))
    make_more.close()
    assert_whole(path)


@dataclass(slots=True)
class Interrupted:
    """A connection that lets something happen just before its statements that begin with these words."""

    real: duckdb.DuckDBPyConnection
    words: str
    happens: Callable[[], None]

    def execute(self, sql: str, parameters: object = None) -> duckdb.DuckDBPyConnection:
        if sql.startswith(self.words):
            self.happens()
        return self.real.execute(sql, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def interrupted_writer(path: Path, words: str, happens: Callable[[], None]) -> DuckDBWarehouse:
    def opens(at: Path, access: Access) -> duckdb.DuckDBPyConnection:
        made = Interrupted(connection.connect(at, access), words, happens)
        return cast("duckdb.DuckDBPyConnection", made)

    return DuckDBWarehouse(path, DuckDBSettings(kind="duckdb"), opens)


def test_a_claim_that_commits_in_mid_append_is_a_lost_fence(path: Path) -> None:
    """Invariant 6: DuckDB speaks of a conflict, the ledger of the reason."""
    make_history(path, rows=0)
    rival = writer(path)
    armed: list[str] = []

    def claims() -> None:
        if armed:
            armed.clear()
            rival.claim("rival", assigned(0))

    with closing(rival), closing(interrupted_writer(path, "UPDATE _steno_ledger", claims)) as warehouse:
        mark = warehouse.claim("w", assigned(0))[partition()]
        armed.append("now")
        with pytest.raises(LedgerMoved) as refusal:
            warehouse.append(batch(stretch(mark, 2)))
        assert isinstance(refusal.value.__cause__, duckdb.TransactionException)
        mark = rival.claim("rival", assigned(0))[partition()]
        assert (mark.next_offset, mark.fence) == (0, 4)
    assert assert_whole(path) == 0


def test_a_conflict_that_took_no_fence_is_tried_again(path: Path) -> None:
    make_history(path, rows=0)
    rival = connection.connect(path, Access.WRITE)

    def touches() -> None:
        rival.execute("BEGIN").fetchall()
        rival.execute("UPDATE _steno_ledger SET change_count = change_count + 1").fetchall()

    plain = writer(path)
    mark = plain.claim("w", assigned(0))[partition()]
    with closing(plain), closing(interrupted_writer(path, "UPDATE _steno_ledger", touches)) as warehouse:
        with pytest.raises(WarehouseUnavailable):
            warehouse.append(batch(stretch(mark, 2)))
        rival.execute("ROLLBACK").fetchall()
        rival.close()
        plain.append(batch(stretch(mark, 2)))
    assert assert_whole(path) == 2


def foreign_duckdb(path: Path) -> None:
    with closing(duckdb.connect(str(path))) as other:
        other.execute("CREATE TABLE orders AS SELECT 1 AS id").fetchall()


def foreign_sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE orders (id INTEGER)")
        other.commit()


def newer_bookkeeping(path: Path) -> None:
    make_history(path)
    with closing(duckdb.connect(str(path))) as other:
        other.execute("UPDATE _steno_meta SET version = 99").fetchall()


def cut_short(path: Path) -> None:
    make_history(path)
    os.truncate(path, 20_000)


FOREIGN = {
    "another product's DuckDB": foreign_duckdb,
    "SQLite": foreign_sqlite,
    "garbage": lambda path: path.write_bytes(b"id,status\n1,new\n" * 1000),
    "a short file": lambda path: path.write_bytes(b"x"),
    "an empty file": lambda path: path.write_bytes(b""),
    "a newer bookkeeping": newer_bookkeeping,
    "a file cut short": cut_short,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(path: Path, kind: str) -> None:
    FOREIGN[kind](path)
    before, beside = path.read_bytes(), set(path.parent.iterdir())
    with pytest.raises(WarehouseRefused) as refusal:
        writer(path).claim("w", assigned(0))
    assert refusal.value.facts["path"] == path
    assert refusal.value.hint
    with pytest.raises(WarehouseRefused):
        DuckDBHistoryReader(path).ledger()
    with pytest.raises(WarehouseRefused):
        DuckDBConsole(path).query("SELECT 1")
    assert path.read_bytes() == before
    assert set(path.parent.iterdir()) == beside


def test_a_folder_in_the_file_s_place_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(WarehouseRefused):
        writer(path).claim("w", assigned(0))


def test_a_file_in_the_folder_s_place_is_refused(path: Path) -> None:
    path.write_text("x")
    with pytest.raises(WarehouseRefused):
        writer(path / "history.duckdb").claim("w", assigned(0))


def test_an_empty_database_is_taken(path: Path) -> None:
    duckdb.connect(str(path)).close()
    assert DuckDBHistoryReader(path).ledger() == {}
    make_history(path)
    assert DuckDBHistoryReader(path).ledger()[partition()].next_offset == 2


def test_a_table_of_another_product_is_refused(path: Path) -> None:
    make_history(path)
    with closing(duckdb.connect(str(path))) as other:
        other.execute("CREATE TABLE Contact_history (id BIGINT)").fetchall()
        other.execute("CREATE VIEW deal_history AS SELECT 1 AS id").fetchall()
    with closing(writer(path)) as warehouse:
        for table in ("contact_history", "Contact_history", "deal_history"):
            with pytest.raises(WarehouseRefused):
                warehouse.evolve(change(table=table))
        assert warehouse.shape("contact_history") is None


def test_a_missing_folder_is_made(path: Path) -> None:
    deeper = path.parent / "a" / "b" / "history.duckdb"
    make_history(deeper)
    assert set(deeper.parent.iterdir()) == {deeper, gate_of(deeper)}


AS_NOBODY = """
import json, os, sys
from pathlib import Path
from stenograph.errors import StenographError
from stenograph.warehouses.duckdb.reader import DuckDBHistoryReader
from tests.history_batches import assigned, partition
from tests.integration.test_duckdb_faults import make_history, writer
make_history(Path(sys.argv[1]) / "warm" / "history.duckdb")
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
path = Path(sys.argv[2])
try:
    warehouse = writer(path)
    warehouse.claim("w", assigned(0))
    warehouse.close()
    print(json.dumps(["nothing", ""]))
except StenographError as error:
    print(json.dumps([type(error).__name__, error.hint]))
print(json.dumps(DuckDBHistoryReader(path).ledger()[partition()].fence if path.exists() else 0))
"""


@pytest.mark.parametrize("case", ["file", "folder", "new file"])
def test_without_the_right_to_write_the_history_is_refused_but_still_read(tmp_path: Path, case: str) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        path = folder / "history.duckdb"
        if case != "new file":
            make_history(path)
            path.chmod(0o444 if case == "file" else 0o666)
        folder.chmod(0o777 if case == "file" else 0o555)
        command = [sys.executable, "-c", AS_NOBODY, str(tmp_path), str(path)]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        refusal, fence = (json.loads(line) for line in done.stdout.splitlines())
        assert refusal[0] == "WarehouseRefused"
        assert "right to write" in refusal[1]
        assert fence == (0 if case == "new file" else 1)
    finally:
        folder.chmod(0o777)
        shutil.rmtree(folder)


def fill(folder: Path, leave_bytes: int) -> Path:
    ballast = folder / "ballast"
    free = shutil.disk_usage(folder).free
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - leave_bytes)
    return ballast


def assert_whole(path: Path) -> int:
    """Each offset once, and the spans tile up to the ledger's offset, which is returned."""
    reader = DuckDBHistoryReader(path)
    reached = reader.ledger()[partition()].next_offset
    rows = reader.rows(TABLE, partition(), GENERATION, 0, 1 << 60)
    assert rows.column("_steno_log_offset").to_pylist() == list(range(reached))
    spans = [one.span for one in reader.spans()]
    assert [span.start for span in spans] == [0, *(span.stop for span in spans)][: len(spans)]
    assert (spans[-1].stop if spans else 0) == reached
    return reached


@pytest.mark.parametrize("leave_mib", [1, 6, 24])
def test_a_full_disk_stores_nothing_of_the_batch_and_the_writer_goes_on_when_there_is_room(
    small_disk: Path, leave_mib: int
) -> None:
    path = small_disk / "history.duckdb"
    make_history(path, rows=0)
    ballast = fill(small_disk, leave_mib << 20)
    with closing(writer(path)) as warehouse:

        def next_batch(start: int, fence: int) -> None:
            offsets = range(start, start + 4000)
            values = [{"id": offset, "status": os.urandom(100).hex()} for offset in offsets]
            rows = history_rows(values, offsets)
            warehouse.append(batch(Stretch(start, offsets.stop, fence), rows=rows))

        def append_without_end(acknowledged: list[int], fence: int) -> None:
            while True:
                next_batch(acknowledged[-1], fence)
                acknowledged.append(acknowledged[-1] + 4000)

        mark = warehouse.claim("w", assigned(0))[partition()]
        acknowledged = [mark.next_offset]
        with pytest.raises(WarehouseUnavailable, match="no room"):
            append_without_end(acknowledged, mark.fence)
        warehouse.close()
        assert assert_whole(path) in {acknowledged[-1], acknowledged[-1] + 4000}
        ballast.unlink()
        mark = warehouse.claim("w", assigned(0))[partition()]
        next_batch(mark.next_offset, mark.fence)
    assert assert_whole(path) == mark.next_offset + 4000


def test_a_disk_full_from_the_start_leaves_no_half_made_file(small_disk: Path) -> None:
    path = small_disk / "history.duckdb"
    ballast = fill(small_disk, 0)
    with pytest.raises(WarehouseUnavailable, match="no room"):
        writer(path).claim("w", assigned(0))
    assert [found.name for found in small_disk.iterdir()] == ["ballast"]
    ballast.unlink()
    make_history(path)
    assert assert_whole(path) == 2
