"""A loop in a process of its own whose log or warehouse is slow: every append is made late.

Judges nothing; ends with SIGTERM, as the command does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from stenograph.assembly import Start, Wiring, capture_loop, load_pipeline, sink_loop
from stenograph.assembly.adapters import LogAdapter, WarehouseAdapter
from stenograph.errors import StenographError
from stenograph.ports import ChangeLogWriter, Warehouse
from stenograph.supervisor import Stop, supervise


@dataclass(frozen=True, slots=True)
class Late:
    """A port whose `append` waits first."""

    port: Any
    seconds: float

    def append(self, batch: Any) -> None:
        time.sleep(self.seconds)
        self.port.append(batch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)


@dataclass(frozen=True, slots=True)
class _Log:
    real: LogAdapter
    seconds: float

    def writer(self) -> ChangeLogWriter:
        return cast("ChangeLogWriter", Late(self.real.writer(), self.seconds))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@dataclass(frozen=True, slots=True)
class _Warehouse:
    real: WarehouseAdapter
    seconds: float

    def warehouse(self) -> Warehouse:
        return cast("Warehouse", Late(self.real.warehouse(), self.seconds))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class _Quiet:
    """Tells nobody; an error that would be retried ends the process, and its test with it."""

    def moved(self, records: int) -> None:
        return

    def retrying(self, error: StenographError, attempt: int, pause: timedelta) -> None:
        raise error

    def paused(self, error: StenographError) -> None:
        raise error


def run(loop: str, pipeline: str, seconds: float) -> None:
    """Run the loop with appends that late, until SIGTERM."""
    wiring = Wiring.of(load_pipeline(pipeline, Path.cwd()))
    stop = Stop()
    stop.on_signals()
    if loop == "capture":
        slow = replace(wiring, log=cast("LogAdapter", _Log(wiring.log, seconds)))
        with capture_loop(slow, Start.RESUME) as (capture, _):
            supervise(capture, stop, _Quiet())
    else:
        slow = replace(wiring, warehouse=cast("WarehouseAdapter", _Warehouse(wiring.warehouse, seconds)))
        with sink_loop(slow) as (sink, _):
            supervise(sink, stop, _Quiet())
