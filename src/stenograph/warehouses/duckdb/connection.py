"""Opens the history file in turns: many processes share it, and each has it only for a moment.

Knows nothing of history, and never opens the file by other means: DuckDB's lock is a POSIX lock, which a process
loses when it closes any descriptor of that file.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

import duckdb

from stenograph.warehouses.duckdb.bookkeeping import create, is_signed, sign_if_empty
from stenograph.warehouses.duckdb.failures import is_held
from stenograph.warehouses.duckdb.gate import Gate, build_gate
from stenograph.warehouses.duckdb.statements import run

HOLD_SECONDS: Final = 0.25
"""A busy writer keeps the file about this long before it lets waiting readers in."""
_LONGEST_HOLD_SECONDS: Final = 2.0
_HOLD_OF_PRICE: Final = 4
"""A hold lasts so many times what opening and closing took, within these bounds: hundreds of tables make it long."""
PAUSE_SECONDS: Final = 0.008
"""What it then waits: longer than a reader's longest wait between two tries."""
WRITER_PATIENCE_SECONDS: Final = 2.0
READER_PATIENCE_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = (0.001, 0.004)
# The same for every connection: DuckDB refuses two configurations of one file in one process.
_CONFIG: Final = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


class Access(StrEnum):
    """For what a connection is opened."""

    READ = "read"
    WRITE = "write"


Connect = Callable[[Path, Access], duckdb.DuckDBPyConnection]
"""How a file is opened; tests put a connection that dies on demand in its place."""


def connect(path: Path, access: Access) -> duckdb.DuckDBPyConnection:
    """Open the file once, without waiting; `path` must be resolved. Raise `duckdb.Error`."""
    connection = duckdb.connect(str(path), read_only=access is Access.READ, config=dict(_CONFIG))
    try:
        run(connection, "SET TimeZone = 'UTC'")
        # A misspelt table must not be looked for among Python's variables.
        run(connection, "SET python_enable_replacements = false")
    except BaseException:
        connection.close()
        raise
    return connection


class WriterTurn:
    """The sink's hold on the file: taken at a call, kept while it is busy, given back by `rest` or `close`."""

    def __init__(self, path: Path, memory_limit: str, connect: Connect) -> None:
        self._path = path
        self._memory_limit = memory_limit
        self._connect = connect
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._gate = Gate(None)
        self._taken = 0.0
        self._not_before = 0.0
        self._opening = self._closing = 0.0

    def take(self) -> duckdb.DuckDBPyConnection:
        """The open connection, making the file with its bookkeeping at first use.

        Waits while others hold the file, at most two seconds. Raise `duckdb.Error`, OSError or WarehouseRefused.
        """
        if self._connection is None:
            time.sleep(max(0.0, self._not_before - time.monotonic()))
            create(self._path, lambda path: self._connect(path, Access.WRITE))
            deadline = time.monotonic() + WRITER_PATIENCE_SECONDS
            self._gate = Gate.enter(self._path, "alone", deadline)
            begun = time.monotonic()
            try:
                self._connection = self._opened(deadline)
            except BaseException:
                self._gate.leave()
                raise
            self._taken = time.monotonic()
            self._opening = self._taken - begun
        return self._connection

    def rest(self) -> None:
        """Give the file back if it has been held long enough for others to be waiting."""
        price = _HOLD_OF_PRICE * (self._opening + self._closing)
        if time.monotonic() - self._taken > min(max(HOLD_SECONDS, price), _LONGEST_HOLD_SECONDS):
            self.close()

    def close(self) -> None:
        """Give the file back; DuckDB folds its WAL in. Safe to call twice."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            begun = time.monotonic()
            try:
                connection.close()
            finally:
                self._closing = time.monotonic() - begun
                self._gate.leave()
                self._not_before = time.monotonic() + PAUSE_SECONDS

    def _opened(self, deadline: float) -> duckdb.DuckDBPyConnection:
        connection = _patiently(lambda: self._connect(self._path, Access.WRITE), deadline)
        try:
            # Two threads would make a row group each of what fills only one, which the checkpoint then writes anew.
            run(connection, f"SET memory_limit = '{self._memory_limit}'; SET threads = 1")
            sign_if_empty(connection, self._path)
        except BaseException:
            connection.close()
            raise
        build_gate(self._path)
        return connection


@contextmanager
def reading(path: Path, connect: Connect) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """One committed state of the file, in a transaction that cannot write; None if there is no history yet.

    Waits while a writer holds the file, at most ten seconds. Trap: the file is held until the end of the block, so
    fetch everything and leave. Raise `duckdb.Error` or WarehouseRefused.
    """
    if not path.exists():
        yield None
        return
    deadline = time.monotonic() + READER_PATIENCE_SECONDS
    gate = Gate.enter(path, "shared", deadline)
    try:
        connection = _patiently(lambda: _open_to_read(path, connect), deadline)
        try:
            signed = is_signed(connection, path)
            run(connection, "BEGIN TRANSACTION READ ONLY")
            yield connection if signed else None
        finally:
            with suppress(duckdb.Error):
                run(connection, "ROLLBACK")
            connection.close()
    finally:
        gate.leave()


def _open_to_read(path: Path, connect: Connect) -> duckdb.DuckDBPyConnection:
    try:
        return connect(path, Access.READ)
    except duckdb.ConnectionException as error:
        if not is_held(error):
            raise
        # A writer of this very process has the file: DuckDB wants the same mode of us, the transaction does the rest.
        return connect(path, Access.WRITE)


def _patiently(opens: Callable[[], duckdb.DuckDBPyConnection], deadline: float) -> duckdb.DuckDBPyConnection:
    while True:
        try:
            return opens()
        except duckdb.Error as error:
            if not is_held(error) or time.monotonic() >= deadline:
                raise
        time.sleep(random.uniform(*_RETRY_SECONDS))
