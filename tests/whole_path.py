"""The whole path of a table: a real server's changes through our source, log and sink into a history file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stenograph.events import TableId
from stenograph.ports import ChangeLogWriter
from stenograph.schemas import TablePlan
from tests.capturing import Capturing, capturing
from tests.small_pipeline import SmallPipeline

PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class WholePath:
    """A capture whose batches go into a real log too. The n-th table's history, counted from 0, is `t<n>_history`."""

    capture: Capturing
    pipeline: SmallPipeline
    writer: ChangeLogWriter

    def run_until_records(self, count: int) -> None:
        """Capture until there are so many records."""
        deadline = time.monotonic() + PATIENCE
        while len(self.capture.records) < count:
            assert time.monotonic() < deadline, f"{len(self.capture.records)} records came in time"
            self.writer.append(self.capture.step())

    def store(self) -> None:
        """Let the sink store everything that the log holds."""
        registry = self.capture.registry
        for number, schema in enumerate(registry.schemas, start=1):
            subject = next(name for name, ids in registry.subjects.items() if number in ids)
            assert self.pipeline.registry().register(subject, schema) == number
        self.pipeline.store_all()


@contextmanager
def whole_path(dsn: str, folder: Path, tables: Sequence[TableId]) -> Iterator[WholePath]:
    """The path of these tables, with everything closed at the end."""
    plans = [
        TablePlan("crm", table, table.topic("crm"), f"t{place}_history") for place, table in enumerate(tables)
    ]
    pipeline = SmallPipeline(folder, plans, partitions=1)
    with capturing(dsn) as capture:
        capture.tables = list(tables)
        writer = pipeline.writer()
        try:
            yield WholePath(capture, pipeline, writer)
        finally:
            writer.close()
