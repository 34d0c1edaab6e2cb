"""The log's file: made whole or not at all, opened only if it is ours.

Reads and writes no record.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from stenograph.errors import LogRefused
from stenograph.logs.embedded.faults import told_as_log_errors

APPLICATION_ID = 0x5374656E
"""`Sten` in the header of every log file."""
VERSION = 2
BUSY_SECONDS = 5.0
"""How long a statement waits for another process before it is LogUnavailable."""
_PAGE_BYTES = 16_384
_WAL_KEPT_BYTES = 64 << 20

Durability = Literal["FULL", "NORMAL"]


@dataclass(frozen=True, slots=True)
class LogFile:
    """An open log file. `generation` is the file's own identity, `inode` the place it was opened at."""

    path: Path
    connection: sqlite3.Connection
    generation: str
    inode: int

    @contextmanager
    def transaction(self, begin: Literal["BEGIN", "BEGIN IMMEDIATE"]) -> Iterator[sqlite3.Connection]:
        """Commit what the block does, or roll it back whatever leaves the block.

        Refuses a file that is no longer the one at `path`: what is written to it would be lost with it.
        """
        with told_as_log_errors(self.path):
            self.refuse_replaced()
            self.connection.execute(begin)
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def refuse_replaced(self) -> None:
        """Raise LogRefused if the file at `path` is no longer this one."""
        try:
            inode = self.path.stat().st_ino
        except FileNotFoundError:
            inode = None
        if inode != self.inode:
            raise LogRefused(
                "The log's file was removed or replaced while it was open.",
                hint="Start the command again to open the file that is there now.",
                path=self.path,
            )

    def close(self) -> None:
        """Let go of the file; safe to call twice."""
        self.connection.close()


def create_or_open(path: Path) -> LogFile:
    """The log at `path`, made if there is none.

    Raise LogRefused for another product's or a newer file and for a place that cannot be written,
    LogUnavailable for a full disk or a file held by another process.
    """
    with told_as_log_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_unwritable(path)
        if not path.exists():
            _create(path)
        return _open(path, "FULL")


def open_existing(path: Path) -> LogFile | None:
    """The log at `path` for a reader; None if there is no file yet.

    What a reader writes is not synced by itself: losing a report costs nothing.
    """
    with told_as_log_errors(path):
        return _open(path, "NORMAL") if path.exists() else None


def refuse_unwritable(path: Path) -> None:
    """Raise LogRefused if this user cannot write the log's file, or make it."""
    if path.is_dir():
        raise LogRefused("The log's path is a folder.", hint="Set `log.path` to a file in it.", path=path)
    for place in (path.parent, path):
        effective = os.access in os.supports_effective_ids
        if place.exists() and not os.access(place, os.W_OK, effective_ids=effective):
            raise LogRefused(
                "The change log cannot be written: its file or folder is read-only for this user.",
                hint="Give this user the right to write there, or set `log.path` elsewhere.",
                path=place,
            )


def _create(path: Path) -> None:
    """Make the file under another name and link it into place: a crash leaves no half-made log."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.new")
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(files(__package__).joinpath("schema.sql").read_text("utf-8"))
            connection.execute("INSERT INTO log (id) VALUES (?)", (str(uuid.uuid4()),))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            # Another process made the log first; its file is the log.
            return
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        for name in (draft, draft.with_name(draft.name + "-wal"), draft.with_name(draft.name + "-shm")):
            name.unlink(missing_ok=True)


def _open(path: Path, durability: Durability) -> LogFile:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_SECONDS
    )
    try:
        _refuse_foreign(connection, path)
        connection.execute(f"PRAGMA synchronous = {durability}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}")
        (generation,) = connection.execute("SELECT id FROM log").fetchone()
        return LogFile(path, connection, generation, path.stat().st_ino)
    except BaseException:
        connection.close()
        raise


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise LogRefused(
            "The file is not a change log but another product's, or empty.",
            hint="Set `log.path` to another file; this one was left as it is.",
            path=path,
        )
    if version != VERSION:
        raise LogRefused(
            "The log's file was written by another version of Stenograph.",
            hint="Use the version that wrote it, or set `log.path` to a new file.",
            path=path,
            file_version=version,
            our_version=VERSION,
        )
