"""The warehouses that the contract suites of Warehouse, HistoryReader and QueryConsole run against.

A new warehouse is one more entry; the suites stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stenograph.ports import HistoryReader, QueryConsole, Warehouse, WarehousePlan
from stenograph.warehouses.duckdb.console import DuckDBConsole
from stenograph.warehouses.duckdb.plan import DuckDBPlan
from stenograph.warehouses.duckdb.reader import DuckDBHistoryReader
from stenograph.warehouses.duckdb.settings import DuckDBSettings
from stenograph.warehouses.duckdb.warehouse import DuckDBWarehouse


@dataclass(slots=True)
class Adapter:
    """One warehouse of one test: every call of `warehouse` is another writer on the same history."""

    open_warehouse: Callable[[], Warehouse]
    reader: HistoryReader
    console: QueryConsole
    plan: WarehousePlan
    opened: list[Warehouse] = field(default_factory=list)

    def warehouse(self) -> Warehouse:
        warehouse = self.open_warehouse()
        self.opened.append(warehouse)
        return warehouse

    def close(self) -> None:
        for warehouse in self.opened:
            warehouse.close()


def _duckdb(folder: Path) -> Adapter:
    path = folder / "history.duckdb"
    settings = DuckDBSettings(kind="duckdb")
    return Adapter(
        lambda: DuckDBWarehouse(path, settings),
        DuckDBHistoryReader(path),
        DuckDBConsole(path),
        DuckDBPlan(path),
    )


ADAPTERS: Mapping[str, Callable[[Path], Adapter]] = {"duckdb": _duckdb}
