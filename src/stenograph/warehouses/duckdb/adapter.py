"""Opens a DuckDB history for a pipeline."""

from __future__ import annotations

from stenograph.history import FlushLimits
from stenograph.pipeline.site import Site
from stenograph.warehouses.duckdb.checkup import DuckDBCheckup
from stenograph.warehouses.duckdb.console import DuckDBConsole
from stenograph.warehouses.duckdb.plan import DuckDBPlan
from stenograph.warehouses.duckdb.reader import DuckDBHistoryReader
from stenograph.warehouses.duckdb.settings import DuckDBSettings
from stenograph.warehouses.duckdb.warehouse import DuckDBWarehouse


class DuckDBAdapter:
    """The DuckDB history of one pipeline."""

    def __init__(self, settings: DuckDBSettings, site: Site) -> None:
        self._settings = settings
        self._site = site
        self._path = site.at(settings.path, "history.duckdb")

    @property
    def flush_limits(self) -> FlushLimits:
        """What the settings say of appends."""
        settings = self._settings
        return FlushLimits(settings.flush_rows, settings.flush_bytes, settings.flush_seconds)

    def warehouse(self) -> DuckDBWarehouse:
        """The history as the sink sees it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return DuckDBWarehouse(self._path, self._settings)

    def plan(self) -> DuckDBPlan:
        """The history as `steno plan` sees it."""
        return DuckDBPlan(self._path)

    def history(self) -> DuckDBHistoryReader:
        """The history as verify and status see it."""
        return DuckDBHistoryReader(self._path)

    def console(self) -> DuckDBConsole:
        """The history as an analyst sees it."""
        return DuckDBConsole(self._path)

    def checkup(self) -> DuckDBCheckup:
        """The history's file, to be looked at."""
        return DuckDBCheckup(self._path, self._site.pipeline)
