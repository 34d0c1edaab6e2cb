"""What SQLite and the file system say, in the words of the error tree.

Waits for nothing and retries nothing.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stenograph.errors import LogRefused, LogUnavailable, StenographError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_PASSING = frozenset({errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EINTR, errno.ENOMEM})


@contextmanager
def told_as_log_errors(path: Path) -> Iterator[None]:
    """Raise LogUnavailable or LogRefused for what the file at `path` causes; anything else is a bug and passes."""
    try:
        yield
    except sqlite3.Error as fault:
        error = _of_sqlite(fault, path)
        if error is None:
            raise
        raise error from fault
    except OSError as fault:
        raise _of_system(fault, path) from fault


def _of_sqlite(fault: sqlite3.Error, path: Path) -> StenographError | None:
    code = getattr(fault, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return LogRefused(
            "The log's file was removed or replaced while it was open.",
            hint="Start the command again to open the file that is there now.",
            path=path,
        )
    match code & 0xFF if isinstance(code, int) else None:
        case sqlite3.SQLITE_FULL:
            return _no_room(path)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return LogUnavailable(
                "Another process holds the log's file locked.",
                hint="Wait for it to finish; if it does not, look for a stopped process: `fuser` names it.",
                path=path,
            )
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_NOMEM:
            return LogUnavailable(
                "The log's file cannot be read or written now.",
                hint="Look at the disk and the system's log; the step is tried again by itself.",
                path=path,
                reason=getattr(fault, "sqlite_errorname", fault),
            )
        case sqlite3.SQLITE_TOOBIG:
            return LogRefused(
                "A record is larger than the log's file can hold, which is 1 GB.",
                hint="Leave its table out of the pipeline, or shorten the row and start capture anew (`--anew`).",
                path=path,
            )
        case sqlite3.SQLITE_CANTOPEN:
            return LogUnavailable(
                "The log's file, or one that SQLite keeps beside it, cannot be opened.",
                hint="Check that its folder exists, is writable for this user and has room.",
                path=path,
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return LogRefused(
                "The log's file cannot be written by this user.",
                hint="Give this user the right to write the file and its folder, or set `log.path` elsewhere.",
                path=path,
            )
        case sqlite3.SQLITE_NOTADB:
            return LogRefused(
                "The file is not a change log.",
                hint="Set `log.path` to another file; this one was left as it is.",
                path=path,
            )
        case sqlite3.SQLITE_CORRUPT:
            return LogRefused(
                "The log's file is damaged.",
                hint="Keep a copy, restore the file from a backup or begin a new log; history holds what was stored.",
                path=path,
            )
    return None


def _of_system(fault: OSError, path: Path) -> StenographError:
    if fault.errno in _NO_ROOM:
        return _no_room(path)
    reason = fault.strerror or type(fault).__name__
    if fault.errno in _PASSING:
        return LogUnavailable(
            "The log's file cannot be reached now.",
            hint="Look at the disk and the system's log; the step is tried again by itself.",
            path=path,
            reason=reason,
        )
    return LogRefused(
        "The log's file cannot be made or opened.",
        hint="Check the path and this user's rights, or set `log.path` elsewhere.",
        path=path,
        reason=reason,
    )


def _no_room(path: Path) -> LogUnavailable:
    return LogUnavailable(
        "There is no room left under the log; nothing was appended.",
        hint="Free some space there; the append is tried again by itself and the source keeps its changes until then.",
        path=path,
    )
