"""The two loops of a pipeline, wired and locked."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import assert_never

import pyarrow as pa

from stenograph.assembly.adapters import OpenedSource
from stenograph.assembly.wiring import Wiring
from stenograph.capture import Capture
from stenograph.offsets import Position
from stenograph.ports import Rereads, Source, Start
from stenograph.sink import Readers, Sink
from stenograph.supervisor import RunFile


@contextmanager
def capture_loop(wiring: Wiring, start: Start) -> Iterator[tuple[Capture, RunFile]]:
    """The capture loop and its run file; raise PipelineBusy if another process runs it."""
    run = RunFile(wiring.site.run, Capture.name)
    _give_memory_back()
    try:
        wiring.refuse_lost_registry()
        with wiring.source.opened([plan.table for plan in wiring.plans], wiring.registry()) as source:
            log = wiring.log.writer()
            name = wiring.pipeline.source_name
            tables = wiring.pipeline.tables
            rereads = Rereads(wiring.log.requests(), {name: each.on_rewrite for name, each in tables.items()})
            capture = Capture(name, _Opening(source, start, log.position(name), rereads), log)
            try:
                yield capture, run
            finally:
                capture.close()
    finally:
        run.close()


@contextmanager
def sink_loop(wiring: Wiring) -> Iterator[tuple[Sink, RunFile]]:
    """The sink loop and its run file; raise PipelineBusy if another process runs it."""
    run = RunFile(wiring.site.run, Sink.name)
    _give_memory_back()
    try:
        wiring.refuse_lost_registry()
        topics = [*(plan.topic for plan in wiring.plans), wiring.gap_topic]
        sink = Sink(
            owner=f"{socket.gethostname()}/{os.getpid()}",
            plans=wiring.plans,
            gap_topic=wiring.gap_topic,
            open_reader=lambda: wiring.log.reader(f"sink-{wiring.pipeline.name}", topics),
            warehouse=wiring.warehouse.warehouse(),
            readers=Readers(wiring.registry()),
            limits=wiring.warehouse.flush_limits,
        )
        try:
            yield sink, run
        finally:
            sink.close()
    finally:
        run.close()


def _give_memory_back() -> None:
    # Arrow's own pools keep what large batches leave; the system's allocator returns it, at no cost that was measured.
    pa.set_memory_pool(pa.system_memory_pool())


class _Opening:
    """Opens the source as asked, the first time; once a new run is in the log, resumes it like any other."""

    def __init__(self, source: OpenedSource, start: Start, before: Position | None, rereads: Rereads) -> None:
        self._source = source
        self._start = start
        self._before = before
        self._rereads = rereads

    def __call__(self, stored: Position | None) -> Source:
        match self._start:
            case Start.ANEW if stored == self._before:
                return self._source.begin_anew(stored, self._rereads)
            case Start.ANEW | Start.RESUME:
                return self._source.resume(stored, self._rereads)
            case _:
                assert_never(self._start)
