"""The CRM's day, as a process of its own: several hundred transactions a second, each one in the journal.

Knows nothing of capture or history: plain psycopg against Postgres.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psycopg

from stenograph.demo.crm import Crm, Cursor, Outcome
from stenograph.demo.journal import JournalWriter
from stenograph.demo.plot import scenes
from stenograph.sources.postgres.server import embedded
from stenograph.supervisor import Stop

TRANSACTIONS_PER_SECOND = 350
_SETTLE_SECONDS = 30.0

Connection = psycopg.Connection[tuple[int, ...]]


class Desk:
    """Commits acts and journals how each ended, also where the answer to a COMMIT never came."""

    def __init__(self, connect: Callable[[], Connection], journal: JournalWriter) -> None:
        self._connect = connect
        self._journal = journal
        self._connection = connect()

    @property
    def cursor(self) -> Cursor:
        """A cursor in the connection's transaction."""
        return self._connection.cursor()

    def do(self, act: Callable[[Cursor], Outcome]) -> Outcome | None:
        """One transaction; its outcome, or None if nothing of it was kept."""
        cursor = self.cursor
        outcome = act(cursor)
        (number,) = _one(cursor, "SELECT pg_current_xact_id()::text::bigint")
        if outcome.is_mistake:
            self._connection.rollback()
            self._journal.rolled_back()
            return None
        try:
            self._connection.commit()
        except psycopg.OperationalError:
            if not self._was_committed(number):
                self._journal.rolled_back()
                return None
        self._journal.committed(outcome.changes)
        return outcome

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _was_committed(self, number: int) -> bool:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            with suppress(psycopg.OperationalError):
                self._connection.close()
                self._connection = self._connect()
                status = settled(self.cursor, number)
                self._connection.rollback()
                if status is not None:
                    return status
            if time.monotonic() > deadline:
                raise TimeoutError("Postgres does not say how a transaction ended.")
            time.sleep(0.05)


def settled(cursor: Cursor, number: int) -> bool | None:
    """Whether the transaction with that number was committed; None while it is still running."""
    (status,) = _one(
        cursor,
        "SELECT CASE txid_status(%s) WHEN 'committed' THEN 1 WHEN 'aborted' THEN 0 ELSE -1 END",
        number,
    )
    return None if status < 0 else bool(status)


def live(dsn: str, journal: JournalWriter, length: timedelta, stop: Stop) -> None:
    """Live for `length`, or until stopped: never faster than the rate, on a slow machine with fewer acts."""
    desk = Desk(lambda: psycopg.connect(dsn), journal)
    try:
        crm = Crm(desk.cursor, random.Random(42))
        plot = list(scenes(crm))
        began = due = time.monotonic()
        while not stop:
            now = time.monotonic()
            share = (now - began) / length.total_seconds()
            if plot and plot[0].at <= share:
                scene = plot.pop(0)
                desk.do(scene.act)
                if scene.said:
                    journal.say(scene.said)
                continue
            if share >= 1:
                return
            outcome = desk.do(crm.act)
            if outcome is not None:
                crm.settle(outcome)
            # What a slow moment cost is not made up for: the rate is a ceiling.
            due = max(due + 1 / TRANSACTIONS_PER_SECOND, now)
            stop.wait(timedelta(seconds=max(0.0, due - time.monotonic())))
    finally:
        desk.close()


def _one(cursor: Cursor, query: str, *values: object) -> tuple[int, ...]:
    row = cursor.execute(query, values or None).fetchone()
    assert row is not None
    return row


def _main() -> None:
    parser = argparse.ArgumentParser(description="A small CRM that lives for a while.")
    parser.add_argument("postgres", type=Path, help="the folder of the embedded Postgres")
    parser.add_argument("journal", type=Path, help="the file to journal to")
    parser.add_argument("seconds", type=float, help="for how long")
    arguments = parser.parse_args()
    stop = Stop()
    stop.on_signals()
    stop.when_stdin_closes()
    journal = JournalWriter(arguments.journal)
    with embedded(arguments.postgres) as dsn:
        live(dsn, journal, timedelta(seconds=arguments.seconds), stop)
    journal.close()


if __name__ == "__main__":
    _main()
