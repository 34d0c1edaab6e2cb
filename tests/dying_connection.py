"""A DuckDB connection that dies at a given statement, as if its process had been killed there.

After its death it answers nothing, a ROLLBACK included: a dead process rolls nothing back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import duckdb

from stenograph.warehouses.duckdb.connection import Access, connect

Moment = Literal["before", "after"]


class Killed(BaseException):
    """What the caller sees in place of its own death."""


@dataclass(slots=True)
class Fate:
    """Counts the statements of a writer's connections and ends them at the `die_at`-th; never while it is 0.

    `committed` says whether a COMMIT ran since `begin`; `reached` whether the death came.
    """

    die_at: int = 0
    moment: Moment = "before"
    seen: int = 0
    committed: bool = False
    reached: bool = False
    real: list[duckdb.DuckDBPyConnection] = field(default_factory=list)

    def begin(self, die_at: int, moment: Moment) -> None:
        """Count anew."""
        self.die_at, self.moment, self.seen, self.committed = die_at, moment, 0, False

    def connect(self, path: Path, access: Access) -> duckdb.DuckDBPyConnection:
        """In the place of `stenograph.warehouses.duckdb.connection.connect`."""
        self.real.append(connect(path, access))
        return cast("duckdb.DuckDBPyConnection", _Connection(self.real[-1], self))

    def bury(self) -> None:
        """Take from DuckDB what the end of a process would take."""
        for connection in self.real:
            connection.close()
        self.real.clear()


class _Connection:
    def __init__(self, real: duckdb.DuckDBPyConnection, fate: Fate) -> None:
        self._real = real
        self._fate = fate

    def execute(self, sql: str, parameters: object = None) -> duckdb.DuckDBPyConnection:
        fate = self._fate
        if fate.reached:
            raise Killed
        fate.seen += 1
        if fate.seen == fate.die_at and fate.moment == "before":
            fate.reached = True
            raise Killed
        done = self._real.execute(sql, parameters)
        fate.committed = fate.committed or sql == "COMMIT"
        if fate.seen == fate.die_at:
            fate.reached = True
            raise Killed
        return done

    def __getattr__(self, name: str) -> Any:
        if self._fate.reached:
            raise Killed
        return getattr(self._real, name)
