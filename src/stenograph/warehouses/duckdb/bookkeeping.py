"""The bookkeeping tables of a history file: made with it, and the sign that it is ours.

Migrates nothing: a file of a newer version is refused.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb

from stenograph.errors import WarehouseRefused
from stenograph.warehouses.duckdb.statements import run, statement

VERSION: Final = 1
"""Raised when the bookkeeping's tables change."""


def create(path: Path, connect: Callable[[Path], duckdb.DuckDBPyConnection]) -> None:
    """Make the file with its bookkeeping, or not at all; a file that is there is kept.

    A half-made file would be refused for ever as not ours, so it is made beside its place and linked into it.
    Raise `duckdb.Error` or OSError.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        connection = connect(made)
        try:
            _sign(connection)
        finally:
            connection.close()
        with suppress(FileExistsError):
            path.hardlink_to(made)
    finally:
        made.unlink(missing_ok=True)
        made.with_name(f"{made.name}.wal").unlink(missing_ok=True)


def is_signed(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Whether the file holds our bookkeeping; false for an empty database, into which nothing was written yet.

    Raise WarehouseRefused if it is another product's, or a newer version's.
    """
    tables = {str(name) for (name,) in run(connection, statement("bookkeeping", "tables"))}
    if "_steno_meta" not in tables:
        if tables:
            raise WarehouseRefused(
                "The DuckDB file belongs to something else: it has tables, and none of Stenograph's bookkeeping.",
                hint="Name another path for the history; this file is left as it is.",
                path=path,
                tables=len(tables),
            )
        return False
    version = run(connection, statement("bookkeeping", "version"))[0][0]
    if not isinstance(version, int) or version > VERSION:
        raise WarehouseRefused(
            "The history file was written by a newer Stenograph.",
            hint="Install the version of Stenograph that wrote it, or a newer one.",
            path=path,
            file_version=version,
            ours=VERSION,
        )
    return True


def sign_if_empty(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Make the bookkeeping in a database that has no table at all; raise as `is_signed`."""
    if not is_signed(connection, path):
        _sign(connection)


def _sign(connection: duckdb.DuckDBPyConnection) -> None:
    run(connection, "BEGIN")
    try:
        run(connection, statement("bookkeeping", "create"))
        run(connection, statement("bookkeeping", "sign"), [VERSION])
        run(connection, "COMMIT")
    except BaseException:
        with suppress(duckdb.Error):
            run(connection, "ROLLBACK")
        raise
