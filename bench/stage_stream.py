"""Stage `stream`: the source's part of the way, beside the walsender's own ceiling.

The three ways take turns over the same changes, so that a ratio is one of neighbours.
"""

from __future__ import annotations

import psycopg

from bench.figures import Figure, Say, median
from bench.postgres_encode import CREATE, Bench, Run
from bench.reaches import shown
from bench.stand import Stand

ROWS = 300_000
UPDATES = 300_000
ROUNDS = 3


def measure(stand: Stand, say: Say) -> list[Figure]:
    """The figures `stream-avro`, `stream-log` and `snapshot-log`."""
    with stand.database("stream") as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(CREATE.encode())
        folder = stand.folder / "stream"
        folder.mkdir()
        bench = Bench(dsn, folder, ROWS, UPDATES)
        say(f"writing {ROWS:,} inserts and {UPDATES:,} updates")
        bench.write()
        received, encoded, logged = [], [], []
        for number in range(ROUNDS):
            say(f"streaming them, round {number + 1} of {ROUNDS}")
            received.append(bench.received())
            encoded.append(bench.encoded())
            logged.append(bench.logged())
        rates: dict[str, list[float]] = {}
        for number in range(ROUNDS):
            say(f"reading the table, round {number + 1} of {ROUNDS}")
            for name, rate in bench.snapshot().items():
                rates.setdefault(name, []).append(rate)
    beside = {"receive only": _rate(received), "encoded": _rate(encoded), "logged": _rate(logged)}
    cpu = {name: _cpu(of) for name, of in (("encoded", encoded), ("logged", logged))}
    return [
        Figure("stream-avro", _of_ceiling(received, encoded), {**beside, "CPU": cpu["encoded"]}),
        Figure("stream-log", _of_ceiling(received, logged), {**beside, "CPU": cpu["logged"]}),
        Figure(
            "snapshot-log",
            tuple(rates["snapshot → embedded log"]),
            {"encoded only": shown(median(rates["snapshot → Avro bytes"]), "rows/s")},
        ),
    ]


def _seconds(run: Run) -> float:
    return run.inserts + run.updates


def _of_ceiling(ceiling: list[Run], runs: list[Run]) -> tuple[float, ...]:
    return tuple(_seconds(top) / _seconds(run) for top, run in zip(ceiling, runs, strict=True))


def _rate(runs: list[Run]) -> str:
    return shown(median([(ROWS + UPDATES) / _seconds(run) for run in runs]), "changes/s")


def _cpu(runs: list[Run]) -> str:
    return shown(median([run.cpu / (ROWS + UPDATES) * 1e6 for run in runs]), "µs a change")
