"""Stage `sink`: the log into history, beside the bare INSERT of the same rows and the log merely read.

Each drain is a process of its own, so that its memory is its own. The sink is wired as `steno sink` wires it.
"""

from __future__ import annotations

import multiprocessing
import resource
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection

import duckdb

from bench import workload
from bench.figures import Figure, Say, median
from bench.reaches import shown
from bench.stand import PATIENCE_SECONDS, NotInTime, Site, Stand
from stenograph.assembly import sink_loop

ROWS = 500_000
UPDATES = 500_000
ROUNDS = 3
HISTORY = "public_lead_history"
APPEND = 122_880
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Drained:
    """Seconds and CPU seconds that a process took for so many rows, and the most memory it had (MB)."""

    rows: int
    seconds: float
    cpu: float
    megabytes: float

    @property
    def rate(self) -> float:
        return self.rows / self.seconds


def measure(stand: Stand, say: Say) -> list[Figure]:
    """The figure `log-duckdb`."""
    total = ROWS + UPDATES
    with stand.database("sink") as dsn:
        workload.create(dsn, "lead")
        with stand.pipeline(dsn, ["lead"]) as site:
            say(f"filling a log with {total:,} changes")
            fill(site, total)
            sinks, raws, reads = [], [], []
            for number in range(ROUNDS):
                say(f"storing them, round {number + 1} of {ROUNDS}")
                remove_history(site)
                reads.append(in_child(read_only, site))
                sinks.append(in_child(drain, site))
                raws.append(in_child(raw_insert, site))
    for drained in sinks:
        if drained.rows != total:
            raise NotInTime(f"{drained.rows} of {total} changes were stored")
    beside = {
        "raw insert": shown(median([raw.rate for raw in raws]), "rows/s"),
        "of raw insert": shown(median([s.rate / r.rate for s, r in zip(sinks, raws, strict=True)]), ""),
        "log only read": shown(median([read.rate for read in reads]), "rows/s"),
        "CPU": shown(median([s.cpu / s.rows * 1e6 for s in sinks]), "µs a row"),
        "memory": shown(median([s.megabytes for s in sinks]), "MB"),
    }
    return [Figure("log-duckdb", tuple(drained.rate for drained in sinks), beside)]


def fill(site: Site, total: int) -> None:
    """Let a capture process write inserts and updates, half of each, into the log."""
    half = total // 2
    with site.running("capture"):
        site.until_read()
        workload.insert(site.dsn, "lead", 1, half)
        workload.update(site.dsn, "lead", 1, half)
        site.until_captured()


def remove_history(site: Site) -> None:
    """Let the next sink begin with nothing."""
    for path in site.history.parent.glob("history.duckdb*"):
        path.unlink()
    shutil.rmtree(site.folder / "raw", ignore_errors=True)


def in_child(work: Callable[[Site], Drained], site: Site) -> Drained:
    """Run it in a process of its own, on this site."""
    receive, send = _SPAWN.Pipe(duplex=False)
    process = _SPAWN.Process(target=_answer, args=(work, site, send))
    process.start()
    # Else its end would not be seen here.
    send.close()
    if not receive.poll(PATIENCE_SECONDS):
        process.kill()
        raise NotInTime("a drain does not end")
    try:
        drained: Drained = receive.recv()
    except EOFError:
        raise NotInTime("a drain failed; see its traceback above") from None
    finally:
        process.join()
    return drained


def _answer(work: Callable[[Site], Drained], site: Site, answer: Connection) -> None:
    answer.send(work(site))
    answer.close()


class _Clock:
    """Seconds and CPU seconds since it was made."""

    def __init__(self) -> None:
        self._begun, self._cpu = time.perf_counter(), time.process_time()

    def drained(self, rows: int) -> Drained:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        return Drained(rows, time.perf_counter() - self._begun, time.process_time() - self._cpu, peak)


def drain(site: Site) -> Drained:
    """Everything in the log into history, by the sink's own loop."""
    rows = 0
    with sink_loop(site.wiring) as (sink, _):
        clock = _Clock()
        while moved := sink.step(timedelta(0)):
            rows += moved
        return clock.drained(rows)


def read_only(site: Site) -> Drained:
    """Everything in the log, read and dropped."""
    rows = 0
    topics = [plan.topic for plan in site.wiring.plans]
    with closing(site.wiring.log.reader("bench", topics)) as reader:
        clock = _Clock()
        for partition in reader.assigned():
            reader.seek(partition, 0)
        while batches := reader.poll(APPEND, timedelta(0)):
            rows += sum(len(batch) for batch in batches)
        return clock.drained(rows)


def raw_insert(site: Site) -> Drained:
    """The ceiling: the same rows, as Arrow, by one bare INSERT after another into a file without a ledger."""
    folder = site.folder / "raw"
    folder.mkdir()
    with duckdb.connect(str(site.history), read_only=True) as history:
        history.execute("SET TimeZone = 'UTC'")
        whole = history.sql(f"FROM {HISTORY}").to_arrow_table()
    pieces = [whole.slice(start, APPEND).combine_chunks() for start in range(0, len(whole), APPEND)]
    with duckdb.connect(str(folder / "raw.duckdb")) as raw:
        raw.execute("SET TimeZone = 'UTC'")
        empty = whole.slice(0, 0)
        raw.register("empty", empty)
        raw.execute("CREATE TABLE history AS FROM empty")
        clock = _Clock()
        for piece in pieces:
            raw.register("piece", piece)
            raw.execute("INSERT INTO history SELECT * FROM piece")
        raw.execute("CHECKPOINT")
        return clock.drained(len(whole))
