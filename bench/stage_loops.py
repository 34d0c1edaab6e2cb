"""Stages with both real processes: `whole`, `memory`, `latency`, `idle`, `growth` and `tables`.

The database runs on the same cores and is part of what is measured.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection

import psycopg

from bench import workload
from bench.figures import Figure, Say, median
from bench.reaches import shown
from bench.stand import Loop, NotInTime, Site, Stand
from stenograph.errors import StenographError

ROUNDS = 3
WHOLE = 300_000
"""Inserts in one transaction, and as many updates."""
LARGEST = 3_000_000
RATE = 1_000
LATENCY_SECONDS = 15
IDLE_SECONDS = 12
MANY_TABLES = 500
_SPAWN = multiprocessing.get_context("spawn")


def whole(stand: Stand, say: Say) -> list[Figure]:
    """`whole-path`: a backlog of changes goes through both processes; the clock runs from the first to the last."""
    rates, cpu = [], dict[str, list[float]](capture=[], sink=[])
    for number in range(ROUNDS):
        with stand.database(f"whole{number}") as dsn, _prepared(stand, dsn) as site:
            say(f"round {number + 1} of {ROUNDS}: {2 * WHOLE:,} changes wait in the slot")
            workload.insert(dsn, "lead", 1, WHOLE)
            workload.update(dsn, "lead", 1, WHOLE)
            with site.running("sink") as sink, site.running("capture") as capture:
                ended = site.until_stored(2 * WHOLE)
                for loop in (capture, sink):
                    cpu[loop.name].append(loop.cpu_seconds())
            begun = _first_observed(site)
            rates.append(2 * WHOLE / (ended - begun))
    beside = {
        f"{name}'s CPU": shown(median(of) / (2 * WHOLE) * 1e6, "µs a change") for name, of in cpu.items()
    }
    return [Figure("whole-path", tuple(rates), beside, "CPU includes each process's start.")]


def memory(stand: Stand, say: Say) -> list[Figure]:
    """`capture-memory` and `sink-memory`: the peaks while a transaction of three million rows passes."""
    with stand.database("memory") as dsn, _prepared(stand, dsn) as site:
        say(f"writing {LARGEST:,} rows in one transaction")
        workload.insert(dsn, "lead", 1, LARGEST)
        say("streaming them")
        begun = time.monotonic()
        with site.running("sink") as sink, site.running("capture") as capture:
            site.until_stored(LARGEST)
            seconds = time.monotonic() - begun
            beside = {"all of it took": shown(seconds, "s")}
            return [
                Figure("capture-memory", (capture.peak_megabytes(),), beside),
                Figure("sink-memory", (sink.peak_megabytes(),), beside),
            ]


def latency(stand: Stand, say: Say) -> list[Figure]:
    """`latency-p50` and `latency-p99`, as another process sees history that asks all the time."""
    p50, p99, asked = [], [], []
    with stand.database("latency") as dsn, _prepared(stand, dsn) as site, ExitStack() as exits:
        workload.insert(dsn, "lead", 1, 1)
        for name in ("sink", "capture"):
            exits.enter_context(site.running(name))
        site.until_stored(1)
        first = 2
        for number in range(ROUNDS):
            say(f"{RATE:,} changes a second for {LATENCY_SECONDS} s, round {number + 1} of {ROUNDS}")
            seen = _Seen.watch(site, first, RATE * LATENCY_SECONDS)
            waits = seen.waits
            p50.append(waits[len(waits) // 2] * 1000)
            p99.append(waits[int(len(waits) * 0.99)] * 1000)
            asked.append(seen.questions / LATENCY_SECONDS)
            first += RATE * LATENCY_SECONDS
    note = "A reader that asks all the time takes its turns at the file between the sink's."
    beside = {"the reader asked": shown(median(asked), "times/s")}
    return [Figure("latency-p50", tuple(p50), beside, note), Figure("latency-p99", tuple(p99), beside)]


def idle(stand: Stand, say: Say) -> list[Figure]:
    """`idle-capture`, `idle-sink` and `idle-writes`, once everything is stored."""
    shares: dict[str, list[float]] = {"capture": [], "sink": []}
    writes = []
    with stand.database("idle") as dsn, _prepared(stand, dsn) as site, ExitStack() as exits:
        workload.insert(dsn, "lead", 1, 1_000)
        loops = [exits.enter_context(site.running(name)) for name in ("sink", "capture")]
        site.until_stored(1_000)
        # What follows a burst (a checkpoint, a report, the position) is not idleness yet.
        time.sleep(12)
        for number in range(ROUNDS):
            say(f"nothing for {IDLE_SECONDS} s, round {number + 1} of {ROUNDS}")
            before = [(loop.cpu_seconds(), loop.written_bytes()) for loop in loops]
            time.sleep(IDLE_SECONDS)
            written = 0
            for loop, (cpu, size) in zip(loops, before, strict=True):
                shares[loop.name].append((loop.cpu_seconds() - cpu) / IDLE_SECONDS)
                written += loop.written_bytes() - size
            writes.append(written / IDLE_SECONDS)
    return [
        Figure("idle-capture", tuple(shares["capture"])),
        Figure("idle-sink", tuple(shares["sink"])),
        Figure("idle-writes", tuple(writes)),
    ]


def growth(stand: Stand, say: Say) -> list[Figure]:
    """`growth-changes`: 10^4, 10^5 and 10^6 changes, one after another through one pipeline."""
    ratios, costs = [], list[dict[int, float]]()
    for number in range(ROUNDS):
        with stand.database(f"growth{number}") as dsn, _prepared(stand, dsn) as site, ExitStack() as exits:
            workload.insert(dsn, "lead", 1, 1)
            loops = [exits.enter_context(site.running(name)) for name in ("sink", "capture")]
            site.until_stored(1)
            first, cost = 2, dict[int, float]()
            for count in (10_000, 100_000, 1_000_000):
                say(f"{count:,} changes, round {number + 1} of {ROUNDS}")
                cost[count] = cost_of(site, loops, "lead", first, count)
                first += count
            costs.append(cost)
            ratios.append(cost[1_000_000] / cost[10_000])
    beside = {
        f"{count:,} changes": shown(median([cost[count] for cost in costs]) * 1e6, "µs each")
        for count in costs[0]
    }
    return [Figure("growth-changes", tuple(ratios), beside, "CPU of capture and sink together.")]


def tables(stand: Stand, say: Say) -> list[Figure]:
    """`growth-tables`: the same 10^5 changes of one table, in a pipeline of one table and in one of 500."""
    costs: dict[int, list[float]] = {1: [], MANY_TABLES: []}
    count = 100_000
    for many, of_many in costs.items():
        names = ["lead", *(f"quiet_{number}" for number in range(many - 1))]
        with stand.database(f"tables{many}") as dsn:
            workload.create(dsn, *names)
            with stand.pipeline(dsn, names) as site, ExitStack() as exits:
                loops = [exits.enter_context(site.running(name)) for name in ("sink", "capture")]
                say(f"a pipeline of {many} table{'s' * (many > 1)} starts")
                site.until_read()
                for name in names:
                    workload.insert(dsn, name, 1, 1)
                site.until_stored(many)
                for number in range(ROUNDS):
                    say(f"{count:,} changes of one table, round {number + 1} of {ROUNDS}")
                    of_many.append(cost_of(site, loops, "lead", 2 + number * count, count))
    ratios = tuple(large / small for small, large in zip(*costs.values(), strict=True))
    beside = {
        f"{many} tables" if many > 1 else "1 table": shown(median(of) * 1e6, "µs each")
        for many, of in costs.items()
    }
    return [
        Figure("growth-tables", ratios, beside, "CPU of capture and sink together; every table has a row.")
    ]


def cost_of(site: Site, loops: list[Loop], table: str, first: int, count: int) -> float:
    """CPU seconds a change that the loops spend on so many new rows."""
    stored = site.stored()
    before = sum(loop.cpu_seconds() for loop in loops)
    workload.insert(site.dsn, table, first, first + count - 1)
    site.until_stored(stored + count)
    return (sum(loop.cpu_seconds() for loop in loops) - before) / count


class _prepared:  # noqa: N801 - a context manager that is used like a function.
    """A pipeline over one table whose run has begun, with both loops ended: what is written now waits in the slot."""

    def __init__(self, stand: Stand, dsn: str) -> None:
        self._stand, self._dsn, self._exits = stand, dsn, ExitStack()

    def __enter__(self) -> Site:
        workload.create(self._dsn, "lead")
        site = self._exits.enter_context(self._stand.pipeline(self._dsn, ["lead"]))
        with site.running("capture"):
            site.until_read()
        return site

    def __exit__(self, *_: object) -> None:
        self._exits.close()


def _first_observed(site: Site) -> float:
    ((first,),) = site.query("SELECT min(_steno_observed_at) FROM public_lead_history")
    if not isinstance(first, datetime):
        raise NotInTime("history is empty")
    return first.astimezone(UTC).timestamp()


@dataclass(slots=True)
class _Seen:
    """When each change was committed, and when a reader first saw it."""

    committed: dict[int, float] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)
    questions: int = 0

    @property
    def waits(self) -> list[float]:
        """Seconds from commit to seen, sorted."""
        return sorted(self.seen[number] - at for number, at in self.committed.items())

    @classmethod
    def watch(cls, site: Site, first: int, count: int) -> _Seen:
        """Write at the rate while a reader in another process looks."""
        receive, send = _SPAWN.Pipe(duplex=False)
        reader = _SPAWN.Process(target=_read, args=(site, first, first + count - 1, send))
        reader.start()
        send.close()
        if receive.recv() != "ready":
            raise NotInTime("the reader did not start")
        seen = cls()
        writer = threading.Thread(target=_write, args=(site.dsn, first, count, seen.committed))
        writer.start()
        if not receive.poll(LATENCY_SECONDS * 4):
            reader.kill()
            raise NotInTime("the reader does not see every change")
        seen.seen, seen.questions = receive.recv()
        writer.join()
        reader.join()
        return seen


def _write(dsn: str, first: int, count: int, committed: dict[int, float]) -> None:
    """Transactions of ten rows each, at RATE rows a second."""
    begun = time.monotonic()
    with psycopg.connect(dsn, autocommit=True) as connection:
        for number in range(first, first + count, 10):
            pause = begun + (number - first) / RATE - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            connection.execute(workload.INSERT.format(table="lead", first=number, last=number + 9).encode())
            at = time.time()
            committed.update(dict.fromkeys(range(number, number + 10), at))


def _read(site: Site, first: int, last: int, answer: Connection) -> None:
    """Ask for new rows again and again, with a short rest; answer when each was first seen."""
    seen: dict[int, float] = {}
    questions = 0
    answer.send("ready")
    while len(seen) <= last - first:
        try:
            rows = site.query(f"SELECT id FROM public_lead_history WHERE id BETWEEN {first} AND {last}")
        except StenographError:
            # The sink's turn lasted longer than a reader waits: the changes are seen later.
            continue
        at = time.time()
        questions += 1
        for (number,) in rows:
            seen.setdefault(int(str(number)), at)
        time.sleep(0.02)
    answer.send((seen, questions))
    answer.close()
