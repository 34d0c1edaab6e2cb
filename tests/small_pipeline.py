"""A whole pipeline in one process and one folder: real log, real registry, real DuckDB, no server.

Every part can be taken away and opened anew, as a restarted process would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from stenograph.history import FlushLimits
from stenograph.logs.embedded.reader import EmbeddedLogReader
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from stenograph.ports import ChangeLogReader, EncodedBatch, Warehouse
from stenograph.registry.folder import FolderRegistry
from stenograph.schemas import TablePlan
from stenograph.sink import Readers, Sink
from stenograph.warehouses.duckdb.settings import DuckDBSettings
from stenograph.warehouses.duckdb.warehouse import DuckDBWarehouse
from tests.change_samples import GAPS

NO_WAIT = timedelta(0)


@dataclass(frozen=True, slots=True)
class SmallPipeline:
    """One folder; every method opens something of it."""

    folder: Path
    plans: Sequence[TablePlan]
    partitions: int = 4
    retain_days: float = 7
    """Counted from a record's timestamp, and the samples' lie in the past."""

    @property
    def history(self) -> Path:
        return self.folder / "history.duckdb"

    def registry(self) -> FolderRegistry:
        return FolderRegistry(self.folder / "registry")

    def writer(self) -> EmbeddedLogWriter:
        return EmbeddedLogWriter(self.folder / "log.db", self.log_settings)

    def reader(self) -> EmbeddedLogReader:
        topics = [*(plan.topic for plan in self.plans), GAPS]
        return EmbeddedLogReader(self.folder / "log.db", self.log_settings, group="sink", topics=topics)

    def warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.history, DuckDBSettings(kind="duckdb"))

    def sink(
        self,
        *,
        owner: str = "test",
        warehouse: Warehouse | None = None,
        open_reader: Callable[[], ChangeLogReader] | None = None,
        limit: int = 5_000,
    ) -> Sink:
        return Sink(
            owner,
            self.plans,
            GAPS,
            open_reader or self.reader,
            warehouse or self.warehouse(),
            Readers(self.registry()),
            # No rest between appends: a test's clock is its own steps.
            FlushLimits(rows=limit, bytes=1 << 24, seconds=0),
        )

    def append(self, *batches: EncodedBatch) -> None:
        with closing(self.writer()) as writer:
            for batch in batches:
                writer.append(batch)

    def store_all(self) -> None:
        """Let a new sink store everything that the log holds."""
        with closing(self.sink()) as sink:
            while sink.step(NO_WAIT):
                pass

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The answer to a question of the history file; nobody else may have it open."""
        with closing(duckdb.connect(str(self.history), read_only=True)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    @property
    def log_settings(self) -> EmbeddedLogSettings:
        return EmbeddedLogSettings(kind="embedded", partitions=self.partitions, retain_days=self.retain_days)
