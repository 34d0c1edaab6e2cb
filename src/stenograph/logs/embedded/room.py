"""How much of the log's file is in use, and what is done when that is more than it may take.

Shrinks no file: what is freed is used again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from stenograph.errors import LogUnavailable
from stenograph.logs.embedded.retention import REMOVED_BYTES, remove_reported
from stenograph.logs.embedded.settings import EmbeddedLogSettings


def live_bytes(connection: sqlite3.Connection) -> int:
    """The bytes of the file's pages that hold something."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages - free) * int(page_bytes)


def make_room(connection: sqlite3.Connection, size: int, settings: EmbeddedLogSettings, path: Path) -> None:
    """Where the file holds more than it may, remove the oldest reported records to let `size` bytes in.

    Raise LogUnavailable if that frees less than comes in and does not bring the file down to its size. One append may
    go past the size, whatever it is, so that a record larger than that is not refused for ever. Runs inside the
    caller's transaction.
    """
    held = live_bytes(connection)
    if held <= settings.max_bytes:
        return
    remove_reported(connection, None, max(REMOVED_BYTES, 2 * size))
    left = live_bytes(connection)
    if left > settings.max_bytes and held - left < size:
        raise LogUnavailable(
            "The log has reached its size, and the sink has not stored what it holds; nothing was appended.",
            hint="Start the sink, or look at what holds it up (`steno status`), or raise `log.max_size`;"
            " the append is tried again by itself and the source keeps its changes until then.",
            path=path,
            max_size=settings.max_size,
            bytes=held,
        )
