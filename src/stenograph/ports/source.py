"""What a source promises to capture and to verify.

Imports no driver.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum
from typing import Protocol

import pyarrow as pa

from stenograph.events import TableId
from stenograph.offsets import Position
from stenograph.ports.batches import EncodedBatch
from stenograph.ports.requests import ReadProgress
from stenograph.schemas import TablePlan, TableShape


class Start(Enum):
    """How a capture begins."""

    RESUME = "resume"
    """At the stored position; a first time, with a new run and every table read."""
    ANEW = "anew"
    """With a new run: every table is read again, and what happened in between is lost to history."""


class Source(Protocol):
    """An ordered stream of committed changes.

    Promise: a change is given again, with the same lane and order, until a position after it has been
    acknowledged; nothing of a rolled-back transaction is ever given (Invariant 7).
    Trap: after any error the source is closed and opened anew at the log's stored position.
    """

    def poll(self, limit: int, wait: timedelta) -> EncodedBatch:
        """Give at most about `limit` changes, waiting at most `wait` for the first; an empty batch when idle.

        Raise SourceUnavailable, SourceRefused, SourceHistoryLost or SourceRewound.
        """
        ...

    def acknowledge(self, upto: Position) -> None:
        """Let the source forget everything before `upto`.

        Called only once the log holds it durably (Invariant 1): an early call loses changes for ever.
        """
        ...

    def keep_alive(self) -> None:
        """Tell the source that we are still here; called while the log is slow. Acknowledges nothing."""
        ...

    def reading(self) -> ReadProgress | None:
        """The table that is being read now, for people; None while only changes are streamed."""
        ...

    def close(self) -> None:
        """Let go of connections; safe to call twice and after an error."""
        ...


class SourceAudit(Protocol):
    """A source's tables read at one position, to be compared with history."""

    def position(self) -> bytes:
        """The order (see `order_of`) of the instant this audit reads: every change below it is in the rows."""
        ...

    def reached(self, stored: Position | None) -> bool:
        """Whether the log holds every change before `position`, given the position stored with it.

        Trap: false while changes are pending, and false for good when no capture runs; the caller has a deadline.
        """
        ...

    def unchecked(self, stored: Position | None) -> Mapping[TableId, str]:
        """Tables that cannot be compared now, each with the reason (being read again, not in the publication)."""
        ...

    def rows(self, plan: TablePlan, shape: TableShape) -> Iterator[pa.Table]:
        """The table's rows at `position`, mapped as the sink maps them, in chunks: those columns of `shape` it has."""
        ...

    def close(self) -> None:
        """End the reading transaction; safe to call twice."""
        ...
