"""Where each source resumes, as the log holds it beside the records.

Infers nothing from records.
"""

from __future__ import annotations

import sqlite3

from stenograph.errors import LogRefused
from stenograph.offsets import Position


def stored_position(connection: sqlite3.Connection, source: str) -> Position | None:
    """The last position stored for the source; None if none was."""
    found = connection.execute("SELECT ord, resume FROM positions WHERE source = ?", (source,)).fetchone()
    return None if found is None else Position(*found)


def store_position(connection: sqlite3.Connection, source: str, upto: Position) -> None:
    """Move the source's position on; an equal order may come with another `resume`.

    Raise LogRefused for an order below the stored one (Invariant 8).
    """
    stored = stored_position(connection, source)
    if stored is not None and upto.order < stored.order:
        raise LogRefused(
            "The source's position would move backward in the log.",
            hint="Another capture of this source may be running, or the source is an older copy of itself:"
            " stop the one that is wrong; the log keeps the higher position.",
            source=source,
            stored=stored.order.hex(),
            refused=upto.order.hex(),
        )
    connection.execute(
        "INSERT INTO positions (source, ord, resume) VALUES (?, ?, ?)"
        " ON CONFLICT (source) DO UPDATE SET ord = excluded.ord, resume = excluded.resume",
        (source, upto.order, upto.resume),
    )
