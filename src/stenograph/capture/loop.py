"""Moves committed changes from one source into the change log.

Does not retry, sleep or start threads: the supervisor owns time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from stenograph.errors import StenographError
from stenograph.offsets import Position
from stenograph.ports import ChangeLogWriter, EncodedBatch, ReadProgress, Source

OpenSource = Callable[[Position | None], Source]
"""Opens the source at the log's stored position; None where none was ever stored."""

_TELL_SECONDS = 1.0
"""How often the source hears of us in the middle of a transaction, where nothing is to be acknowledged."""


class Capture:
    """One capture loop: a step moves one batch.

    A batch that the log did not take is kept and sent again by the next step, so that a slow log costs no
    new connection to the source. Trap: after an error of the source, `reset` must come before the next step.
    """

    name = "capture"

    def __init__(
        self, source: str, open_source: OpenSource, log: ChangeLogWriter, limit: int = 5_000
    ) -> None:
        self._name = source
        self._open_source = open_source
        self._log = log
        self._limit = limit
        self._source: Source | None = None
        self._pending: EncodedBatch | None = None
        self._told_at = 0.0

    def step(self, wait: timedelta) -> int:
        """Move at most one batch, waiting at most `wait` for it; the number of records moved."""
        if self._source is None:
            self._source = self._open_source(self._log.position(self._name))
        if self._pending is None:
            self._pending = self._source.poll(self._limit, wait)
        batch = self._pending
        if batch.values or batch.upto is not None:
            self._log.append(batch)
        self._pending = None
        if batch.upto is not None:
            # Invariant 1: the source may forget a change only once the log holds it.
            self._source.acknowledge(batch.upto)
            self._told_at = time.monotonic()
        elif time.monotonic() - self._told_at >= _TELL_SECONDS:
            # Behind a slow log, a server's question waits in the stream behind the changes: it must not be waited for.
            self._source.keep_alive()
            self._told_at = time.monotonic()
        return len(batch)

    def keep_alive(self) -> None:
        """Tell the source that we are still here while the supervisor waits."""
        if self._source is not None:
            self._source.keep_alive()

    def reading(self) -> ReadProgress | None:
        """The table that is being read now, for people."""
        return None if self._source is None else self._source.reading()

    def reset(self, error: StenographError) -> None:
        """Make ready for the next step after an error: a batch waiting for the log stays, a broken source goes."""
        if self._pending is None:
            self._drop_source()

    def pause(self, error: StenographError) -> None:
        """One stream cannot leave out one table without losing its changes: the loop stops."""
        raise error

    def drain(self) -> None:
        """Nothing to do at the end: every step leaves the position durable."""

    def close(self) -> None:
        """Let go of the source and the log."""
        self._pending = None
        self._drop_source()
        self._log.close()

    def _drop_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            # The source is being given up: a second failure while closing says nothing new.
            with suppress(StenographError):
                source.close()
