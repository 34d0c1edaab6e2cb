"""Measures the embedded log alone: append and read, beside writing the same bytes to a file with one fsync a batch.

Makes its own log in a temporary folder, appends batches of 5,000 records of about 450 bytes and reads them back, in
turns, so that what disturbs the machine disturbs all of them. Prints a Markdown table and one line of JSON. CPU is that
of this process, kernel included; rates are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import cast

from stenograph.logs.embedded.reader import EmbeddedLogReader
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from stenograph.offsets import Position, order_of
from stenograph.packing import Packed, coded, packed
from stenograph.ports import EncodedBatch

TOPIC = "crm.public.lead"
SETTINGS = EmbeddedLogSettings(kind="embedded")
VALUE_BYTES = (400, 500)
READ_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class Figure:
    """What one turn took."""

    records: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds

    @property
    def cost(self) -> float:
        """Microseconds of CPU a record."""
        return 1e6 * self.cpu_seconds / self.records


def batches(count: int, rows: int) -> Iterator[EncodedBatch]:
    """As a capturer gives them: one table, lists of bytes."""
    dice = random.Random(4)
    first = 0
    while count:
        count -= 1
        numbers = range(first, first + rows)
        first += rows
        yield EncodedBatch(
            source="crm",
            lane="crm/stream/1-1",
            topics=[TOPIC] * rows,
            keys=[b"\0\0\0\0\1" + number.to_bytes(3, "big") for number in numbers],
            values=[dice.randbytes(dice.randint(*VALUE_BYTES)) for _ in numbers],
            timestamps=[1_700_000_000_000 + number for number in numbers],
            orders=[order_of(1, number, number, 0) for number in numbers],
            headers=[()] * rows,
            upto=Position(order_of(1, first, 0, 0), b"resume"),
        )


def in_arrays(batch: EncodedBatch) -> EncodedBatch:
    """The same batch without an object for each record."""
    return replace(
        batch,
        topics=coded(batch.topics),
        keys=Packed(packed(batch.keys)),
        values=Packed(packed(batch.values)),
        orders=cast("Sequence[bytes]", Packed(packed(batch.orders))),
        headers=coded(batch.headers),
    )


def timed(records: int, work: Callable[[], object]) -> Figure:
    """How long the work takes."""
    begun, cpu = time.perf_counter(), time.process_time()
    work()
    return Figure(records, time.perf_counter() - begun, time.process_time() - cpu)


def to_a_file(folder: Path, made: Sequence[EncodedBatch]) -> Figure:
    """The ceiling: the values, keys and orders of each batch to one file, and an fsync."""
    pieces = [b"".join(part or b"" for part in (*batch.values, *batch.keys, *batch.orders)) for batch in made]
    file = os.open(folder / "ceiling", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def write() -> None:
        for piece in pieces:
            os.write(file, piece)
            os.fsync(file)

    try:
        return timed(sum(map(len, made)), write)
    finally:
        os.close(file)
        (folder / "ceiling").unlink()


def append(folder: Path, made: Sequence[EncodedBatch]) -> Figure:
    """All batches to a new log."""
    with closing(EmbeddedLogWriter(folder / "log.db", SETTINGS)) as writer:

        def write() -> None:
            for batch in made:
                writer.append(batch)

        return timed(sum(map(len, made)), write)


def read(folder: Path, records: int) -> Figure:
    """All records of the log, which is as it was left."""
    with closing(EmbeddedLogReader(folder / "log.db", SETTINGS, group="bench", topics=[TOPIC])) as reader:
        for partition in reader.assigned():
            reader.seek(partition, 0)

        def drain() -> None:
            left = records
            while left:
                left -= sum(map(len, reader.poll(READ_LIMIT, timedelta(seconds=5))))

        return timed(records, drain)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--batches", type=int, default=60)
    arguments.add_argument("--rows", type=int, default=5_000)
    arguments.add_argument("--turns", type=int, default=5)
    arguments.add_argument(
        "--folder", type=Path, help="on the disk to be measured; the system's temporary one"
    )
    chosen = arguments.parse_args()
    lists = list(batches(chosen.batches, chosen.rows))
    arrays = [in_arrays(batch) for batch in lists]
    figures: dict[str, list[Figure]] = {}
    for _ in range(chosen.turns):
        with tempfile.TemporaryDirectory(dir=chosen.folder) as made:
            folder = Path(made)
            figures.setdefault("file with fsync", []).append(to_a_file(folder, lists))
            for name, kind in (("append of lists", lists), ("append of arrays", arrays)):
                for file in folder.glob("log.db*"):
                    file.unlink()
                figures.setdefault(name, []).append(append(folder, kind))
            figures.setdefault("read", []).append(read(folder, chosen.batches * chosen.rows))
    report(figures)


def report(figures: dict[str, list[Figure]]) -> None:
    """Print the medians."""
    ceiling = statistics.median(figure.rate for figure in figures["file with fsync"])
    print("| Path | records/s | of the file | µs CPU a record | least |")
    print("|---|---|---|---|---|")
    found: dict[str, dict[str, float]] = {}
    for name, turns in figures.items():
        rate = statistics.median(turn.rate for turn in turns)
        cost = statistics.median(turn.cost for turn in turns)
        least = min(turn.cost for turn in turns)
        print(f"| {name} | {rate:,.0f} | {rate / ceiling:.2f} | {cost:.2f} | {least:.2f} |")
        found[name] = {"rate": round(rate), "cpu_us": round(cost, 3), "least_cpu_us": round(least, 3)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
