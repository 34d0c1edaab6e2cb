"""What a change would do to a DuckDB history.

Holds the file only inside a call, reads only, and makes no file.
"""

from __future__ import annotations

from pathlib import Path

from stenograph.ports import Planned
from stenograph.schemas import SchemaChange, TableShape
from stenograph.warehouses.duckdb.catalogue import planned, shape_of
from stenograph.warehouses.duckdb.connection import Connect, connect, reading
from stenograph.warehouses.duckdb.failures import failures


class DuckDBPlan:
    """`WarehousePlan` over one file, which need not be there.

    Raise WarehouseUnavailable if a writer holds the file for ten seconds, WarehouseRefused if it is not ours.
    """

    def __init__(self, path: Path, connect: Connect = connect) -> None:
        self._path = path.resolve()
        self._connect = connect

    def shape(self, table: str) -> TableShape | None:
        """See `Warehouse.shape`."""
        with failures(self._path), reading(self._path, self._connect) as connection:
            return None if connection is None else shape_of(connection, table)

    def planned(self, change: SchemaChange) -> Planned:
        """See `WarehousePlan.planned`."""
        with failures(self._path), reading(self._path, self._connect) as connection:
            return planned(connection, change)
