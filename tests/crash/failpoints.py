"""Points at which a process can be killed: around every port call, and before every statement of an append.

Lives in tests only: the proxies here stand around real adapters, and nothing in src knows of them.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import duckdb

from stenograph.warehouses.duckdb.connection import Access, connect

NOWHERE = "nowhere"
"""The point that is never reached: a dry run, which counts the others."""


@dataclass(frozen=True, slots=True)
class Failpoint:
    """The `nth` time (from 1) that the point of this name is reached."""

    name: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.name} #{self.nth}"


@dataclass(slots=True)
class Fate:
    """Counts the points that this process reaches, and kills it with SIGKILL at one of them."""

    point: Failpoint
    reached: Counter[str] = field(default_factory=Counter)
    _inside: str | None = None
    _statements: int = 0

    def reach(self, name: str) -> None:
        """The process is at this point now; it may be its last."""
        self.reached[name] += 1
        if name == self.point.name and self.reached[name] == self.point.nth:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """A port call: one point before it, one after it if it went well."""
        self.reach(f"before {name}")
        before, self._inside, self._statements = self._inside, name, 0
        try:
            yield
        finally:
            self._inside = before
        self.reach(f"after {name}")

    def statement(self, sql: str) -> None:
        """A statement is about to run: a point by its first words, and by its number in the call.

        In a warehouse the numbers begin at the last BEGIN: what opens the file is not always there.
        """
        if self._inside is None:
            return
        if sql == "BEGIN" and self._inside.startswith("warehouse."):
            self._statements = 0
        self._statements += 1
        self.reach(f"statement {self._statements} of {self._inside}")
        self.reach(f"{first_words(sql)} in {self._inside}")

    def rows(self, values: Iterable[object]) -> Iterator[object]:
        """The values of one statement that runs for each of them."""
        for value in values:
            if self._inside is not None:
                self.reach(f"row of {self._inside}")
            yield value


def first_words(sql: str) -> str:
    """What names a statement: up to three words of it."""
    return " ".join(sql.replace("(", " ").split()[:3])


class Watched:
    """A port whose calls of these names are points of the fate; the other ones pass.

    `limit` caps the first argument of `poll`, so that a small workload takes many steps.
    """

    def __init__(self, port: object, name: str, calls: Iterable[str], fate: Fate, limit: int = 5_000) -> None:
        self._port = port
        self._name = name
        self._calls = frozenset(calls)
        self._fate = fate
        self._limit = limit

    def __getattr__(self, call: str) -> Any:
        real = getattr(self._port, call)
        if call not in self._calls:
            return real

        def watched(*arguments: Any) -> Any:
            if call == "poll":
                arguments = (min(arguments[0], self._limit), *arguments[1:])
            with self._fate.call(f"{self._name}.{call}"):
                return real(*arguments)

        return watched


def watched_sqlite(fate: Fate) -> type[sqlite3.Connection]:
    """A class of SQLite connections whose statements, and the rows of each, are points."""

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            fate.statement(sql)
            return super().execute(sql, *parameters)

        def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
            fate.statement(sql)
            return super().executemany(sql, cast("Iterator[Any]", fate.rows(parameters)))

    return Connection


def watch_sqlite(fate: Fate) -> None:
    """Make every SQLite connection that this process opens from now on a watched one."""
    real: Callable[..., sqlite3.Connection] = sqlite3.connect
    factory = watched_sqlite(fate)

    def opened(*arguments: Any, **settings: Any) -> sqlite3.Connection:
        return real(*arguments, **settings, factory=factory)

    sqlite3.connect = cast("Any", opened)


class _WatchedDuckDB:
    def __init__(self, real: duckdb.DuckDBPyConnection, fate: Fate) -> None:
        self._real = real
        self._fate = fate

    def execute(self, sql: str, parameters: object = None) -> duckdb.DuckDBPyConnection:
        self._fate.statement(sql)
        return self._real.execute(sql, parameters)

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        self._fate.statement(query)
        return self._real.sql(query)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def watched_duckdb(fate: Fate) -> Callable[[Path, Access], duckdb.DuckDBPyConnection]:
    """In the place of `stenograph.warehouses.duckdb.connection.connect`."""

    def opened(path: Path, access: Access) -> duckdb.DuckDBPyConnection:
        return cast("duckdb.DuckDBPyConnection", _WatchedDuckDB(connect(path, access), fate))

    return opened
