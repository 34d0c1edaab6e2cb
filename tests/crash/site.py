"""A pipeline of a test: its file, its loops in this process or in others, and history as the tests compare it.

Judges nothing by itself except that what must end in time does.
"""

from __future__ import annotations

import json
import multiprocessing
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import psycopg

from stenograph.assembly import Start, Wiring, capture_loop, console, load_pipeline, sink_loop, verify
from stenograph.errors import StenographError
from stenograph.offsets import Position, parts_of
from stenograph.pipeline import Pipeline
from stenograph.supervisor import Loop, Stop, supervise
from stenograph.verify import Report, Verdict
from tests.crash import child
from tests.crash.failpoints import NOWHERE, Failpoint
from tests.crash.journal import KEYS, WHOLE, Change, Key, Lives

DEADLINE_SECONDS = 30.0
LIMIT = 10
"""Records a step of a child: a small workload takes many steps."""

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.crash.preload"])


def until(condition: Callable[[], bool], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait for the condition; fail with `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.01)


class _Watcher:
    """Notes whether a loop in this process is idle."""

    def __init__(self) -> None:
        self.records = 0

    def moved(self, records: int) -> None:
        self.records += records

    def retrying(self, error: StenographError, attempt: int, pause: timedelta) -> None:
        return

    def paused(self, error: StenographError) -> None:
        raise error


@dataclass(slots=True)
class Site:
    """One pipeline in a folder of its own."""

    folder: Path
    file: Path

    @classmethod
    def make(
        cls,
        folder: Path,
        dsn: str,
        tables: Sequence[str] = tuple(KEYS),
        log: Path | None = None,
    ) -> Site:
        """Write the pipeline file, and the file that holds its DSN unless the server is embedded."""
        (folder / "pipelines").mkdir(parents=True)
        reference = dsn
        if not dsn.startswith("embedded:"):
            (folder / "dsn").write_text(dsn)
            reference = f"file:{folder / 'dsn'}"
        file = folder / "pipelines" / "shop.yaml"
        lines = [
            "source:",
            "  kind: postgres",
            "  name: shop",
            f"  dsn: {reference}",
            # Slots belong to the whole server: the database's name makes this one the test's own.
            f"  slot: steno_{re.sub('[^a-z0-9]', '_', dsn.rsplit('/', 1)[-1])}",
            "tables:",
            *(f"  public.{table}: {{}}" for table in tables),
        ]
        if log is not None:
            lines += ["log:", "  kind: embedded", f"  path: {log}"]
        file.write_text("\n".join(lines) + "\n")
        return cls(folder, file)

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline as the commands load it."""
        return load_pipeline(str(self.file), self.folder)

    @property
    def wiring(self) -> Wiring:
        """Its adapters, as the commands wire them."""
        return Wiring.of(self.pipeline)

    def process(self, loop: str, point: Failpoint, limit: int = LIMIT) -> BaseProcess:
        """Start the loop in a process of its own."""
        report = self.folder / f"{loop}.reached"
        report.unlink(missing_ok=True)
        made = _PROCESSES.Process(
            target=child.run, args=(loop, str(self.file), str(report), point, limit), name=loop
        )
        made.start()
        return made

    def die(self, loop: str, point: Failpoint, limit: int = LIMIT) -> None:
        """Run the loop until SIGKILL meets it at the point; a point that it never reaches fails the test."""
        process = self.process(loop, point, limit)
        process.join(DEADLINE_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise AssertionError(f"{loop} neither reached {point} nor became idle")
        missed = f"{loop} ended with {process.exitcode} and never reached {point}"
        assert process.exitcode == -signal.SIGKILL, missed

    def dry_run(self, loop: str, limit: int = LIMIT) -> dict[str, int]:
        """How often the loop reaches each point until it is idle."""
        process = self.process(loop, Failpoint(NOWHERE), limit)
        process.join(DEADLINE_SECONDS)
        assert process.exitcode == 0
        reached: dict[str, int] = json.loads((self.folder / f"{loop}.reached").read_text())
        return reached

    @contextmanager
    def running(self, *loops: str, start: Start = Start.RESUME) -> Iterator[list[BaseException]]:
        """The loops as `steno capture` and `steno sink` run them, each in a thread of this process.

        Gives the list of errors that have ended one of them; the first is raised at the end.
        """
        failures: list[BaseException] = []
        stop = Stop()

        def keep(loop: str) -> None:
            try:
                with self._loop(loop, start) as made:
                    supervise(made, stop, _Watcher())
            except BaseException as failure:  # noqa: BLE001 - it is raised below, in the test's own thread.
                failures.append(failure)

        threads = [threading.Thread(target=keep, args=(loop,)) for loop in loops or ("capture", "sink")]
        for thread in threads:
            thread.start()
        try:
            yield failures
        finally:
            stop.request()
            for thread in threads:
                thread.join(DEADLINE_SECONDS)
            if failures:
                raise failures[0]
            assert not any(thread.is_alive() for thread in threads), "a loop did not end"

    @contextmanager
    def _loop(self, name: str, start: Start) -> Iterator[Loop]:
        with ExitStack() as exits:
            if name == "capture":
                yield exits.enter_context(capture_loop(self.wiring, start))[0]
            else:
                yield exits.enter_context(sink_loop(self.wiring))[0]

    def until_read(self, run: int = 0) -> None:
        """Wait until capture has read every table, in a run later than that one."""

        def is_read() -> bool:
            position = self._position()
            later = position is not None and parts_of(position.order)[0] > run
            return later and len(self.read_tables()) == len(self.pipeline.tables)

        until(is_read, "every table is read")

    def read_tables(self) -> dict[str, int]:
        """The tables that capture has read, each with the oid of the relation that it read last."""
        position = self._position()
        facts = {"tables": []} if position is None else json.loads(position.resume)
        return {table["name"]: table["oid"] for table in facts["tables"] if table["state"] == "read"}

    def run_number(self) -> int:
        """The run that the log's position speaks of."""
        position = self._position()
        assert position is not None
        return parts_of(position.order)[0]

    def until_captured(self) -> None:
        """Wait until the log holds everything that is committed now."""
        with psycopg.connect(Path(self.folder / "dsn").read_text(), autocommit=True) as connection:
            row = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
            assert row is not None
            until(lambda: self._stands_at(int(row[0])), "the log holds every committed change")

    def _position(self) -> Position | None:
        with closing(self.wiring.log.audit()) as log:
            return log.position(self.pipeline.source_name)

    def _stands_at(self, lsn: int) -> bool:
        position = self._position()
        return position is not None and parts_of(position.order)[1] >= lsn

    def verified(self, patience: float = DEADLINE_SECONDS) -> Report:
        """What `steno verify` finds; the loops must be running somewhere."""
        return verify(self.pipeline, timedelta(seconds=patience), lambda _: None)

    def prove(self) -> Report:
        """Run both loops until verify has caught up; it must prove everything."""
        with self.running():
            return self.assert_proved()

    def assert_proved(self, patience: float = DEADLINE_SECONDS) -> Report:
        """Verify must prove everything, once every table is read; the loops must be running."""
        self.until_read()
        report = self.verified(patience)
        assert report.verdict is Verdict.PROVED, report.as_json()
        return report

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Rows of history in the warehouse's SQL."""
        answer = console(self.pipeline).query(sql)
        return list(zip(*(column.to_pylist() for column in answer.rows.columns), strict=True))

    def streamed(self) -> Lives:
        """Every streamed change in history by table and key, in the source's order."""
        return self._lives("_steno_order")

    def logged(self) -> Lives:
        """The same in the log's order, which must agree within a key."""
        return self._lives("_steno_log_partition, _steno_log_offset")

    def streamed_if_any(self, table: str) -> dict[Key, list[Change]]:
        """The table's streamed changes; empty also where history has no such table yet."""
        if f"public_{table}_history" not in console(self.pipeline).shapes():
            return {}
        return self.streamed_of(table, "_steno_order")

    def streamed_of(self, table: str, order: str) -> dict[Key, list[Change]]:
        """One table's streamed changes by key, in this order."""
        lives: dict[Key, list[Change]] = {}
        rows = self.query(
            f"SELECT _steno_op, revision, {', '.join(KEYS[table])} FROM public_{table}_history"
            f" WHERE _steno_lane LIKE '%/stream/%' ORDER BY {order}"
        )
        for operation, revision, *values in rows:
            at = WHOLE if operation == "truncate" else tuple(values)
            kept = revision if operation in {"create", "update"} else None
            assert kept is None or isinstance(kept, int)
            lives.setdefault(at, []).append((str(operation), kept))
        return lives

    def _lives(self, order: str) -> Lives:
        return {table: self.streamed_of(table, order) for table in KEYS}


def calls_of(reached: Mapping[str, int]) -> set[str]:
    """The port calls among the points that a dry run reached."""
    return {point.removeprefix("before ") for point in reached if point.startswith("before ")}


def points_around(calls: Mapping[str, Sequence[int]]) -> list[Failpoint]:
    """Before and after the first of these times of each port call, and before the others.

    After one call is before the next one: between two calls of a step a loop does nothing that lasts.
    """
    return [
        *(Failpoint(f"before {call}", nth) for call, times in calls.items() for nth in times),
        *(Failpoint(f"after {call}", times[0]) for call, times in calls.items()),
    ]


def statements_in(reached: Mapping[str, int], call: str) -> set[str]:
    """The first words of every statement that ran in such a call."""
    return {point.removesuffix(f" in {call}") for point in reached if point.endswith(f" in {call}")}


def statements_of(reached: Mapping[str, int], call: str) -> int:
    """The most statements that one such call ran."""
    return sum(point.startswith("statement ") and point.endswith(f" of {call}") for point in reached)
