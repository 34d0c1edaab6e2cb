"""DuckDB's errors as ours, in one place.

Retries nothing and prints no DuckDB text that could hold a row's values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from stenograph.errors import (
    StenographError,
    ValueOutOfRange,
    WarehouseRefused,
    WarehouseUnavailable,
)

_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.+?)(?: by user .+?)? \(PID (?P<pid>\d+)\)")
_HELD_HERE = "with a different configuration than existing connections"
_NO_SPACE = ("No space left on device", "Disk quota exceeded", "File too large")
_NOT_ALLOWED = ("Permission denied", "Read-only file system", "Operation not permitted")
_NOT_DUCKDB = ("not a valid DuckDB database file", "Is a directory", "Extension ")
_DAMAGED = ("Corrupt database file", "Could not read enough bytes", "while replaying WAL file")
_OTHER_VERSION = "Trying to read a database file with"


def is_held(error: duckdb.Error) -> bool:
    """Whether the file could not be opened because someone else has it open, so that waiting may help."""
    said = str(error)
    return "Could not set lock on file" in said or _HELD_HERE in said


def is_conflict(error: duckdb.Error) -> bool:
    """Whether a transaction failed only because another one was faster, so that the same step may succeed.

    Two that insert the same key are told so as a duplicate key, by whichever statement finds it.
    """
    said = str(error)
    if isinstance(error, duckdb.ConstraintException):
        return "Duplicate key" in said
    return isinstance(error, duckdb.TransactionException) and not any(
        text in said for text in (*_NO_SPACE, *_NOT_ALLOWED)
    )


@contextmanager
def failures(path: Path) -> Iterator[None]:
    """Raise what happens inside as a StenographError about the file at `path`.

    A DuckDB error that has no meaning for us is a bug and passes as it is.
    """
    try:
        yield
    except duckdb.DataError:
        # DuckDB's own text quotes the value, so it does not travel along.
        raise ValueOutOfRange(
            "A value does not fit the type of its history column.",
            hint="The sink stores smaller batches until it has found the record, and sets it aside "
            "with its exact bytes.",
            path=path,
        ) from None
    except duckdb.Error as error:
        known = failure(error, path)
        if known is None:
            raise
        raise known from error
    except OSError as error:
        raise _of_system(error, path) from error


def failure(error: duckdb.Error, path: Path) -> StenographError | None:
    """What the error means for the file at `path`; None if it means a bug."""
    said = str(error)
    if is_held(error):
        return _held(said, path)
    if any(text in said for text in _NO_SPACE):
        return WarehouseUnavailable(
            "There is no room for the history file.",
            hint="Free space on its disk; the sink goes on by itself.",
            path=path,
        )
    return _of_file(said, path) or _of_class(error, path)


def _held(said: str, path: Path) -> StenographError:
    facts: dict[str, object] = {"path": path}
    if _HELD_HERE in said:
        facts["pid"] = os.getpid()
    elif holder := _HOLDER.search(said):
        facts["pid"] = int(holder["pid"])
        facts["program"] = holder["program"]
    return WarehouseUnavailable(
        f"The history file is held by another process (pid {facts.get('pid', 'unknown')}).",
        hint="Close that session, or end that process; `steno sql` never holds the file between statements.",
        **facts,
    )


def _of_file(said: str, path: Path) -> StenographError | None:
    if any(text in said for text in _NOT_ALLOWED):
        return WarehouseRefused(
            "The history file or its folder cannot be written or read by this user.",
            hint="Give this user the right to write the file and its folder, or name another path.",
            path=path,
        )
    if _OTHER_VERSION in said:
        return WarehouseRefused(
            "The history file was written by another version of DuckDB.",
            hint="Install the version of DuckDB that wrote it, or a newer one.",
            path=path,
            ours=duckdb.__version__,
        )
    if any(text in said for text in _DAMAGED):
        return WarehouseRefused(
            "The history file is damaged.",
            hint="Restore the file together with its .wal from a backup, or name another path and replay the log.",
            path=path,
        )
    if any(text in said for text in _NOT_DUCKDB):
        return WarehouseRefused(
            "The file is not a DuckDB database.",
            hint="Name another path for the history; this file is left as it is.",
            path=path,
        )
    return None


def _of_class(error: duckdb.Error, path: Path) -> StenographError | None:
    match error:
        case duckdb.OutOfMemoryException():
            return WarehouseUnavailable(
                "DuckDB ran out of the memory it may use.",
                hint="Raise `warehouse.memory_limit`, or make the sink's batches smaller.",
                path=path,
            )
        case _ if is_conflict(error):
            return WarehouseUnavailable(
                "Another writer changed the same tables in this moment.",
                hint="Nothing to do: the step is tried again. If it goes on, two sinks share one history file.",
                path=path,
            )
        case duckdb.CatalogException() | duckdb.BinderException():
            return WarehouseRefused(
                "The history file lacks a table or column that it should have, or has another in its place.",
                hint="Start the sink again, which makes what is missing; rename what is not Stenograph's.",
                path=path,
                said=str(error).partition("\n")[0],
            )
        case duckdb.IOException() | duckdb.FatalException() | duckdb.InternalException():
            return WarehouseUnavailable(
                "DuckDB could not read or write the history file.",
                hint="Look at the disk and at the folder; the step is tried again on a new connection.",
                path=path,
                said=str(error).partition("\n")[0],
            )
        case _ if any(text in str(error) for text in ("has been invalidated", "Connection already closed")):
            return WarehouseUnavailable(
                "The connection to the history file is gone.",
                hint="Nothing to do: the step is tried again on a new connection.",
                path=path,
            )
        case _:
            return None


def _of_system(error: OSError, path: Path) -> StenographError:
    said = error.strerror or type(error).__name__
    if any(text in said for text in _NO_SPACE):
        return WarehouseUnavailable(
            "There is no room for the history file.",
            hint="Free space on its disk; the sink goes on by itself.",
            path=path,
        )
    return WarehouseRefused(
        "The history file's folder cannot be used.",
        hint="Give this user the right to write the folder, or name another path.",
        path=path,
        said=said,
    )
