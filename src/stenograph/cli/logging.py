"""Log lines of the loops: for people on a terminal, JSON elsewhere; never a secret, never a row's values."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from stenograph.cli.exits import show
from stenograph.errors import StenographError
from stenograph.ports import ReadProgress
from stenograph.supervisor import RunFile

_EVERY = 10.0
"""Seconds between two lines that say how much was moved."""


def configure() -> None:
    """Send log lines to standard error."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


class LogLines:
    """Observes one loop: a line when it starts to work, about every ten seconds, and at each failure."""

    def __init__(
        self, pipeline: str, run: RunFile, reading: Callable[[], ReadProgress | None] = lambda: None
    ) -> None:
        self._run = run
        self._reading = reading
        self._log = structlog.get_logger().bind(pipeline=pipeline, loop=run.state.loop)
        self._records = 0
        self._said = 0.0
        self._log.info("started", pid=run.state.pid)

    def moved(self, records: int) -> None:
        """A step went well."""
        progress = self._reading()
        self._run.reads(progress)
        self._run.moved(records)
        self._records += records
        if self._records and time.monotonic() - self._said > _EVERY:
            self._log.info("moved", records=self._records, total=self._run.state.records)
            if progress is not None:
                self._log.info("reading", **_of_table(progress))
            self._records, self._said = 0, time.monotonic()

    def retrying(self, error: StenographError, attempt: int, pause: timedelta) -> None:
        """A step failed and comes again."""
        self._run.retrying(error, attempt, pause)
        seconds = round(pause.total_seconds(), 2)
        if sys.stderr.isatty():
            # The places are the same each time: once is enough for a person.
            facts = _facts(error) if attempt == 1 else {}
            self._log.warning(f"retrying in {seconds} s: {error.summary} {error.hint}", **facts)
            return
        self._log.warning("retrying", attempt=attempt, pause_seconds=seconds, **described(error))

    def paused(self, error: StenographError) -> None:
        """One table was left out."""
        self._run.paused(error)
        if sys.stderr.isatty():
            self._log.error(f"table paused: {error.summary} {error.hint}", **_facts(error))
            return
        self._log.error("table paused", **described(error))

    def failed(self, error: StenographError) -> None:
        """An error has ended the loop: for people it is told as any command tells its error."""
        self._run.failed(error)
        if sys.stderr.isatty():
            show(error)
            return
        self._log.error("stopped by an error", **described(error))

    def stopped(self) -> None:
        """The loop has drained."""
        self._log.info("stopped", total=self._run.state.records)


def _of_table(progress: ReadProgress) -> dict[str, object]:
    left = progress.seconds_left
    return {
        "table": str(progress.table),
        "rows": progress.rows,
        "percent": None if progress.percent is None else round(progress.percent, 1),
        "rows_per_second": round(progress.rows_per_second),
        "seconds_left": None if left is None else round(left),
    }


def described(error: StenographError) -> dict[str, object]:
    """An error as the fields of a log line."""
    return {"error": type(error).__name__, "summary": error.summary, "hint": error.hint, **_facts(error)}


def _facts(error: StenographError) -> dict[str, str]:
    return {f"fact_{name}": str(value) for name, value in error.facts.items()}
