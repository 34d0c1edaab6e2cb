"""A loop in a process of its own: killed at a failpoint, or writing down what it reached once it is idle.

`python -m tests.crash.child capture|sink PIPELINE_FILE REPORT_FILE FAILPOINT NTH LIMIT`
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from stenograph.assembly import Start, Wiring, capture_loop, load_pipeline, sink_loop
from stenograph.assembly.adapters import LogAdapter, OpenedSource, SourceAdapter, WarehouseAdapter
from stenograph.errors import StenographError
from stenograph.events import TableId
from stenograph.history import FlushLimits
from stenograph.offsets import Position
from stenograph.ports import (
    ChangeLogReader,
    ChangeLogWriter,
    Rereads,
    SchemaRegistry,
    Source,
    Warehouse,
)
from stenograph.supervisor import Stop, supervise
from stenograph.warehouses.duckdb.settings import DuckDBSettings
from stenograph.warehouses.duckdb.warehouse import DuckDBWarehouse
from tests.crash.failpoints import Failpoint, Fate, Watched, watch_sqlite, watched_duckdb

IDLE_SECONDS = 1.0
"""A child that has moved nothing for so long has missed its failpoint."""
SOURCE_CALLS = ("poll", "acknowledge")
WRITER_CALLS = ("append", "position")
READER_CALLS = ("assigned", "seek", "poll", "report")
WAREHOUSE_CALLS = ("claim", "shape", "evolve", "append")


@dataclass(frozen=True, slots=True)
class _Opened:
    real: OpenedSource
    fate: Fate
    limit: int

    def resume(self, stored: Position | None, rereads: Rereads) -> Source:
        with self.fate.call("source.open"):
            source = self.real.resume(stored, rereads)
        return cast("Source", Watched(source, "source", SOURCE_CALLS, self.fate, self.limit))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@dataclass(frozen=True, slots=True)
class _Source:
    real: SourceAdapter
    fate: Fate
    limit: int

    @contextmanager
    def opened(self, tables: Sequence[TableId], registry: SchemaRegistry) -> Iterator[OpenedSource]:
        with self.real.opened(tables, registry) as source:
            yield cast("OpenedSource", _Opened(source, self.fate, self.limit))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@dataclass(frozen=True, slots=True)
class _Log:
    real: LogAdapter
    fate: Fate
    limit: int

    @property
    def registry_folder(self) -> Path | None:
        return self.real.registry_folder

    def writer(self) -> ChangeLogWriter:
        return cast("ChangeLogWriter", Watched(self.real.writer(), "log", WRITER_CALLS, self.fate))

    def reader(self, group: str, topics: Sequence[str]) -> ChangeLogReader:
        with self.fate.call("reader.open"):
            reader = self.real.reader(group, topics)
        return cast("ChangeLogReader", Watched(reader, "reader", READER_CALLS, self.fate, self.limit))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@dataclass(frozen=True, slots=True)
class _Warehouse:
    real: WarehouseAdapter
    fate: Fate
    wiring: Wiring
    limit: int

    @property
    def flush_limits(self) -> FlushLimits:
        return replace(self.real.flush_limits, rows=self.limit, seconds=0)

    def warehouse(self) -> Warehouse:
        settings = self.wiring.pipeline.warehouse
        assert isinstance(settings, DuckDBSettings)
        path = self.wiring.site.at(settings.path, "history.duckdb")
        path.parent.mkdir(parents=True, exist_ok=True)
        real = DuckDBWarehouse(path, settings, connect=watched_duckdb(self.fate))
        return cast("Warehouse", Watched(real, "warehouse", WAREHOUSE_CALLS, self.fate))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class _UntilIdle:
    """Ends the loop once it has moved nothing for a while; an error that it would retry ends it too."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._moved_at = time.monotonic()

    def moved(self, records: int) -> None:
        now = time.monotonic()
        if records:
            self._moved_at = now
        elif now - self._moved_at > IDLE_SECONDS:
            self._stop.request()

    def retrying(self, error: StenographError, attempt: int, pause: timedelta) -> None:
        raise error

    def paused(self, error: StenographError) -> None:
        raise error


def watched(wiring: Wiring, fate: Fate, limit: int) -> Wiring:
    """The pipeline with every port that a loop calls watched by this fate."""
    return replace(
        wiring,
        source=cast("SourceAdapter", _Source(wiring.source, fate, limit)),
        log=cast("LogAdapter", _Log(wiring.log, fate, limit)),
        warehouse=cast("WarehouseAdapter", _Warehouse(wiring.warehouse, fate, wiring, limit)),
    )


def run(loop: str, pipeline: str, report: str, point: Failpoint, limit: int) -> None:
    """Run the loop until it dies at the point or is idle; what it reached is then in the report."""
    fate = Fate(point)
    watch_sqlite(fate)
    wiring = watched(Wiring.of(load_pipeline(pipeline, Path.cwd())), fate, limit)
    stop = Stop()
    if loop == "capture":
        with capture_loop(wiring, Start.RESUME) as (capture, _):
            supervise(capture, stop, _UntilIdle(stop))
    else:
        with sink_loop(wiring) as (sink, _):
            supervise(sink, stop, _UntilIdle(stop))
    Path(report).write_text(json.dumps(fate.reached))


if __name__ == "__main__":
    _loop, _pipeline, _report, _point, _nth, _limit = sys.argv[1:]
    run(_loop, _pipeline, _report, Failpoint(_point, int(_nth)), int(_limit))
