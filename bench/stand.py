"""A place to measure in: one Postgres server on loopback, databases in it, pipelines in folders, loops as processes.

Leaves nothing behind: folder, server and processes go at the end.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict

from stenograph.assembly import Wiring, console, load_pipeline
from stenograph.errors import WarehouseUnavailable
from stenograph.offsets import parts_of
from stenograph.pipeline import Pipeline
from stenograph.sources.postgres.position import Reading, resume_point
from stenograph.sources.postgres.server import EmbeddedServer

SERVER = {"fsync": "off", "synchronous_commit": "off", "shared_buffers": "128MB", "max_wal_size": "4GB"}
PATIENCE_SECONDS = 300.0
_LOOK_SECONDS = 0.02


class NotInTime(Exception):
    """What was waited for did not come, or a loop ended."""


@dataclass(frozen=True, slots=True)
class Stand:
    """The server's superuser DSN, its version, and a folder for everything else."""

    folder: Path
    dsn: str
    version: str

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """The DSN of a fresh database, which goes with its slots."""
        with psycopg.connect(self.dsn, autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield self.dsn.rsplit("/", 1)[0] + f"/{name}"
        finally:
            with psycopg.connect(self.dsn, autocommit=True) as admin:
                _drop_slots(admin, name)
                admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

    @contextmanager
    def pipeline(self, dsn: str, tables: Sequence[str]) -> Iterator[Site]:
        """A pipeline over these tables, with its own folder."""
        folder = Path(tempfile.mkdtemp(dir=self.folder, prefix="pipeline-"))
        (folder / "dsn").write_text(dsn, encoding="utf-8")
        file = folder / "pipelines" / "bench.yaml"
        file.parent.mkdir()
        slot = "steno_" + re.sub("[^a-z0-9]", "_", dsn.rsplit("/", 1)[-1])
        lines = [
            "source:",
            "  kind: postgres",
            "  name: bench",
            f"  dsn: file:{folder / 'dsn'}",
            f"  slot: {slot}",
            "tables:",
            *(f"  public.{table}: {{}}" for table in tables),
        ]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        try:
            yield Site(folder, file, dsn)
        finally:
            shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class Loop:
    """A running `steno capture` or `steno sink`."""

    name: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        spent = self.process.cpu_times()
        return spent.user + spent.system

    def written_bytes(self) -> int:
        """Bytes sent to the storage layer so far."""
        return int(self.process.io_counters().write_bytes)

    def peak_megabytes(self) -> float:
        """The most memory it has had resident."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmHWM:\s+(\d+) kB", text)
        if found is None:
            raise NotInTime(f"{self.name} has ended")
        return int(found[1]) / 1000


@dataclass(frozen=True, slots=True)
class Site:
    """One pipeline of a stand."""

    folder: Path
    file: Path
    dsn: str

    @property
    def pipeline(self) -> Pipeline:
        return load_pipeline(str(self.file), self.folder)

    @property
    def wiring(self) -> Wiring:
        return Wiring.of(self.pipeline)

    @property
    def history(self) -> Path:
        """The history's file."""
        return self.wiring.site.state / "history.duckdb"

    def execute(self, *statements: str) -> None:
        """Each in its own transaction."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    @contextmanager
    def running(self, name: str) -> Iterator[Loop]:
        """The loop as its own process; what it says is in `<name>.out`."""
        out = self.folder / f"{name}.out"
        with out.open("ab") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "stenograph.cli", name, "-p", str(self.file)],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        try:
            yield Loop(name, psutil.Process(process.pid))
            if process.poll() is not None:
                raise NotInTime(f"{name} ended: {out.read_text(encoding='utf-8')[-1000:]}")
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Rows of history, as an analyst reads them."""
        answer = console(self.pipeline).query(sql)
        return list(zip(*(column.to_pylist() for column in answer.rows.columns), strict=True))

    def stored(self) -> int:
        """How many history rows there are; 0 also where a busy sink keeps the file for longer than a reader waits."""
        if not self.history.exists():
            return 0
        try:
            ((rows,),) = self.query("SELECT coalesce(sum(stored), 0)::BIGINT FROM _steno_spans")
        except WarehouseUnavailable:
            return 0
        return int(str(rows))

    def until_stored(self, rows: int) -> float:
        """Wait until history has so many rows; the time (seconds since 1970) at which the file last changed.

        Looks at the file's time first: reading it would take the file from the sink.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        changed = 0.0
        while True:
            now = max((path.stat().st_mtime for path in self._files()), default=0.0)
            if now != changed and time.time() - now < 0.3:
                # It is being written: whoever reads now makes the sink wait.
                time.sleep(_LOOK_SECONDS)
            elif self.stored() >= rows:
                return now
            else:
                changed = now
                time.sleep(0.25)
            if time.monotonic() > deadline:
                raise NotInTime(f"{self.stored()} of {rows} rows are stored")

    def until_read(self) -> None:
        """Wait until capture has read every table, so that what is written from now on is streamed."""
        count = len(self.pipeline.tables)

        def is_read() -> bool:
            with closing(self.wiring.log.audit()) as log:
                position = log.position(self.pipeline.source_name)
            marks = {} if position is None else resume_point(position).tables
            return len(marks) == count and all(mark.reading is Reading.READ for mark in marks.values())

        until(is_read, "every table is read")

    def until_captured(self) -> None:
        """Wait until the log holds every change that is committed now."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            row = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        end = int(row[0])

        def is_there() -> bool:
            with closing(self.wiring.log.audit()) as log:
                position = log.position(self.pipeline.source_name)
            return position is not None and parts_of(position.order)[1] >= end

        until(is_there, "the log holds every committed change")

    def _files(self) -> list[Path]:
        both = (self.history, self.history.with_name(f"{self.history.name}.wal"))
        return [path for path in both if path.exists()]


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for the condition; raise NotInTime."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise NotInTime(what)
        time.sleep(0.05)


@contextmanager
def stand() -> Iterator[Stand]:
    """A stand in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="steno-bench-"))
    # The server runs as another user when root starts it.
    folder.chmod(0o711)
    try:
        with EmbeddedServer(folder / "pg", "postgres", SERVER, 18) as admin:
            facts = conninfo_to_dict(admin)
            dsn = f"postgresql://{facts['user']}:{facts['password']}@{facts['host']}:{facts['port']}/postgres"
            with psycopg.connect(dsn) as connection:
                version = str(connection.info.server_version)
            yield Stand(folder, dsn, f"{version[:-4]}.{int(version[-4:])}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _drop_slots(admin: psycopg.Connection[tuple[object, ...]], database: str) -> None:
    deadline = time.monotonic() + 30
    slots = "FROM pg_replication_slots WHERE database = %s"
    while admin.execute(f"SELECT 1 {slots} LIMIT 1".encode(), [database]).fetchone() is not None:
        if time.monotonic() > deadline:
            raise NotInTime(f"the slots of {database} cannot be dropped")
        admin.execute(f"SELECT pg_terminate_backend(active_pid) {slots} AND active".encode(), [database])
        try:
            admin.execute(
                f"SELECT pg_drop_replication_slot(slot_name) {slots} AND NOT active".encode(), [database]
            )
        except psycopg.errors.ObjectInUse:
            time.sleep(0.1)
