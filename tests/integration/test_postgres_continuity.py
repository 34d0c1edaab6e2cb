"""What the server sends from before the stored position is dropped, and held against what the log has seen."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from stenograph.errors import SourceRewound
from stenograph.sources.postgres.express import CLOCK_EVERY
from stenograph.sources.postgres.lsn import lsn_of
from stenograph.sources.postgres.position import ResumePoint, resume_point
from tests.capturing import Capturing, capturing
from tests.fix_postgres import Database

TABLE = ("CREATE TABLE lead (id int PRIMARY KEY, v text)", "INSERT INTO lead VALUES (0, 'first')")


def behind(capture: Capturing, database: Database, *statements: str) -> ResumePoint:
    """Capture the statements and leave the slot behind the position, as a kill before the acknowledgement does."""
    capture.run_until(lambda: capture.stored is not None and len(capture.records) == 1)
    capture.step()
    database.execute(*statements)
    while capture.events()[-1].key != {"id": len(statements)}:
        capture.unacknowledged_move()
    capture.close()
    ((confirmed,),) = database.fetch(
        "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s",
        capture.settings.slot_name,
    )
    assert capture.stored is not None
    stored = resume_point(capture.stored)
    assert lsn_of(str(confirmed)) < stored.lsn
    return stored


def inserts(count: int) -> list[str]:
    return [f"INSERT INTO lead VALUES ({number}, 'x')" for number in range(1, count + 1)]


def test_what_the_log_has_is_not_given_again(database: Database) -> None:
    database.execute(*TABLE)
    with capturing(database.dsn, "lead") as capture:
        behind(capture, database, *inserts(5))
        database.execute("INSERT INTO lead VALUES (6, 'after')")
        capture.run_until(lambda: capture.events()[-1].key == {"id": 6})
        assert [event.key for event in capture.events()] == [{"id": number} for number in range(7)]
        # The commit before it is the one that was seen before the restart.
        before = capture.events()[-1].origin.sequence
        assert before is not None
        assert "null" not in before


def test_an_idle_server_lets_the_slot_catch_up(database: Database) -> None:
    database.execute(*TABLE)
    with capturing(database.dsn, "lead") as capture:
        stored = behind(capture, database, *inserts(2))
        slot = "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s"

        def has_caught_up() -> bool:
            ((confirmed,),) = database.fetch(slot, capture.settings.slot_name)
            return lsn_of(str(confirmed)) >= stored.lsn

        capture.run_until(has_caught_up)


@pytest.mark.parametrize(
    "change",
    [
        {"last_committed_at": 1},
        {"last_commit": 1},
        {"last_commit": None},
    ],
    ids=["another time", "no commit in between", "no commit at all"],
)
def test_another_last_commit_is_another_past(database: Database, change: dict[str, int | None]) -> None:
    """Invariant 8: nothing is confirmed to such a server, so it is refused again."""
    database.execute(*TABLE)
    with capturing(database.dsn, "lead") as capture:
        stored = behind(capture, database, *inserts(3))
        capture.positions.append(replace(stored, **change).position())  # type: ignore[arg-type]
        for _ in range(2):
            with pytest.raises(SourceRewound, match="written to since"):
                capture.run_until(lambda: False)
            capture.close()


def test_transactions_of_other_tables_do_not_count(database: Database) -> None:
    database.execute(*TABLE, "CREATE TABLE other (id int)")
    with capturing(database.dsn, "lead") as capture:
        behind(capture, database, "INSERT INTO other VALUES (1)", "INSERT INTO lead VALUES (2, 'x')")
        with psycopg.connect(database.dsn) as connection:
            connection.execute("INSERT INTO other VALUES (2)")
        database.execute("INSERT INTO lead VALUES (3, 'after')")
        capture.run_until(lambda: capture.events()[-1].key == {"id": 3})
        assert [event.key for event in capture.events()] == [{"id": 0}, {"id": 2}, {"id": 3}]


def test_however_much_is_sent_again_a_step_ends_in_time(database: Database) -> None:
    database.execute(*TABLE)
    with capturing(database.dsn, "lead") as capture:
        behind(capture, database, *inserts(200))
        source = capture.open()
        assert not source.poll(1000, timedelta(0)).values
        assert source._stream is not None
        steps = 1
        while not source._stream.recall(0.0):
            steps += 1
            source._connection.wait(time.monotonic() + 1)
        # A transaction of one change is three messages.
        assert steps >= 200 * 3 // CLOCK_EVERY
