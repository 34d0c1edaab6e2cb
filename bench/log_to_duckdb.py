"""Measures the log into DuckDB history, part by part, without a server: where the sink's CPU time goes.

Appends encoded lead events of twelve columns to an embedded log, then runs the real sink on it in a process of its own.
Prints rows/s, µs of CPU for each row by part (all threads of the process), and the most memory the sink had.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

from bench.columnar_decode import LEAD, event
from stenograph.envelope.codec import EventEncoder
from stenograph.envelope.columnar import ColumnarEvents, ColumnarKeys
from stenograph.envelope.table import POSTGRES_SOURCE
from stenograph.history import FlushLimits
from stenograph.logs.embedded.reader import EmbeddedLogReader
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from stenograph.offsets import order_of
from stenograph.ports import EncodedBatch
from stenograph.registry.folder import FolderRegistry
from stenograph.schemas import TablePlan
from stenograph.sink import Flush, Readers, Sink
from stenograph.warehouses.duckdb.settings import DuckDBSettings
from stenograph.warehouses.duckdb.warehouse import DuckDBWarehouse

LANE = "crm/stream/7-1"
DISTINCT = 50_000
APPEND = 5_000


def fill(folder: Path, rows: int, partitions: int) -> None:
    """A log of so many events, which come again after `DISTINCT` of them, at new places."""
    registry = FolderRegistry(folder / "registry")
    key_id = registry.register("key", LEAD.key_schema() or "")
    encoder = EventEncoder(LEAD, key_id, registry.register("value", LEAD.value_schema(POSTGRES_SOURCE)))
    events = [event(number) for number in range(min(rows, DISTINCT))]
    keys, values = [encoder.key(each) for each in events], [encoder.value(each) for each in events]
    with closing(EmbeddedLogWriter(folder / "log.db", settings(partitions))) as writer:
        for first in range(0, rows, APPEND):
            places = range(first, min(first + APPEND, rows))
            writer.append(
                EncodedBatch(
                    source="crm",
                    lane=LANE,
                    topics=[LEAD.topic] * len(places),
                    keys=[keys[place % DISTINCT] for place in places],
                    values=[values[place % DISTINCT] for place in places],
                    timestamps=[1_718_000_000_000] * len(places),
                    orders=[order_of(1, place // 100, place, 0) for place in places],
                    headers=[()] * len(places),
                )
            )


def settings(partitions: int) -> EmbeddedLogSettings:
    return EmbeddedLogSettings(kind="embedded", partitions=partitions)


class Parts:
    """CPU and wall seconds by part; a part inside another is not counted in the outer one."""

    def __init__(self) -> None:
        self.cpu: Counter[str] = Counter()
        self._inner = [0.0]

    def of(self, owner: Any, method: str, part: str) -> None:
        """Count every call of a class's method."""
        plain: Callable[..., Any] = getattr(owner, method)

        @wraps(plain)
        def timed(*args: Any, **named: Any) -> Any:
            begun = time.process_time()
            self._inner.append(0.0)
            try:
                return plain(*args, **named)
            finally:
                spent = time.process_time() - begun
                self.cpu[part] += spent - self._inner.pop()
                self._inner[-1] += spent

        setattr(owner, method, timed)


def drain(folder: Path, partitions: int, limits: FlushLimits) -> None:
    """Everything into history, and what it took."""
    parts = Parts()
    parts.of(EmbeddedLogReader, "poll", "poll the log")
    parts.of(ColumnarEvents, "read", "decode values")
    parts.of(ColumnarKeys, "read", "decode keys")
    parts.of(Flush, "take", "take: fates and lanes")
    parts.of(Flush, "finish", "finish: history columns, digest")
    parts.of(DuckDBWarehouse, "append", "append to DuckDB")
    parts.of(DuckDBWarehouse, "close", "close DuckDB")
    parts.of(Sink, "step", "the loop itself")
    plan = TablePlan("crm", LEAD.table, LEAD.topic, "lead_history")
    topics = [LEAD.topic]
    sink = Sink(
        "bench",
        [plan],
        "crm.gaps",
        lambda: EmbeddedLogReader(folder / "log.db", settings(partitions), group="bench", topics=topics),
        DuckDBWarehouse(folder / "history.duckdb", DuckDBSettings(kind="duckdb")),
        Readers(FolderRegistry(folder / "registry")),
        limits,
    )
    rows, begun, cpu = 0, time.perf_counter(), time.process_time()
    with closing(sink):
        while moved := sink.step(timedelta(0)):
            rows += moved
    seconds, spent = time.perf_counter() - begun, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{rows:,} rows, {rows / seconds:,.0f} rows/s, {spent / rows * 1e6:.2f} µs CPU a row, peak {peak:.0f} MB"
    )
    for part, of_part in parts.cpu.most_common():
        print(f"  {part:34}{of_part / rows * 1e6:8.3f} µs a row")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=500_000)
    arguments.add_argument("--partitions", type=int, default=1)
    arguments.add_argument("--flush", type=int, nargs="*", default=[122_880], help="rows of a flush")
    arguments.add_argument("--bytes", type=int, default=64 << 20, help="bytes of a flush")
    arguments.add_argument("--folder", type=Path, help="keep the log here and use it again")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        if not (folder / "log.db").exists():
            folder.mkdir(exist_ok=True)
            fill(folder, given.rows, given.partitions)
        for rows in given.flush:
            for old in folder.glob("history.duckdb*"):
                old.unlink()
            print(f"flushes of {rows:,} rows:")
            limits = FlushLimits(rows, given.bytes, 0.0)
            child = multiprocessing.get_context("spawn").Process(
                target=drain, args=(folder, given.partitions, limits)
            )
            child.start()
            child.join()


if __name__ == "__main__":
    main()
