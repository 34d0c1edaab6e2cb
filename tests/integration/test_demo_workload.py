"""The demo's CRM against a real Postgres: its journal is what Postgres holds, also when an answer is lost."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest

from stenograph.demo.crm import Crm, Cursor, Outcome
from stenograph.demo.journal import Change, JournalReader, JournalWriter, Kind
from stenograph.demo.workload import Connection, Desk, live
from stenograph.supervisor import Stop
from tests.fix_postgres import Database

TABLES = ("lead", "contact", "deal")


@pytest.fixture
def crm(database: Database) -> Database:
    database.execute(files("stenograph.demo").joinpath("crm.sql").read_text())
    return database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture
def journal(path: Path) -> Iterator[JournalWriter]:
    made = JournalWriter(path)
    yield made
    made.close()


def test_the_journal_adds_up_to_the_rows_that_postgres_holds(
    crm: Database, journal: JournalWriter, path: Path
) -> None:
    before = {table: _count(crm, table) for table in TABLES}
    live(crm.dsn, journal, timedelta(seconds=2), Stop())
    tally = JournalReader(path).read()
    assert tally.committed > 0
    for table in TABLES:
        created, deleted = (tally.changes[Kind(table, change)] for change in (Change.CREATE, Change.DELETE))
        assert _count(crm, table) == before[table] + created - deleted


def test_the_whole_plot_is_played_however_slow_the_machine_is(
    crm: Database, journal: JournalWriter, path: Path
) -> None:
    live(crm.dsn, journal, timedelta(milliseconds=1), Stop())
    assert crm.fetch("SELECT status, owner_id FROM lead WHERE id = 42") == [("won", 7)]
    assert len(JournalReader(path).read().said) == 2


def test_chance_never_touches_the_lead_that_is_shown(crm: Database) -> None:
    with psycopg.connect(crm.dsn) as connection:
        acts = Crm(connection.cursor(), random.Random(1))
        for _ in range(300):
            outcome = acts.act(connection.cursor())
            acts.settle(outcome)
            assert ("lead", 42) not in outcome.gone


def test_a_commit_whose_answer_is_lost_is_settled_as_it_ended(
    crm: Database, journal: JournalWriter, path: Path
) -> None:
    for first, is_kept in ((_CommitsInSilence, True), (_DiesBeforeTheCommit, False)):
        kinds: list[type[Connection]] = [first, psycopg.Connection]
        desk = Desk(lambda kinds=kinds: kinds.pop(0).connect(crm.dsn), journal)  # type: ignore[misc]
        assert (desk.do(_creates_a_lead) is not None) is is_kept
        assert desk.do(_creates_a_lead) is not None
        desk.close()
    tally = JournalReader(path).read()
    assert (tally.committed, tally.rolled_back) == (3, 1)
    assert _count(crm, "lead") == 3000 + tally.changes[Kind("lead", Change.CREATE)]


class _CommitsInSilence(psycopg.Connection[tuple[int, ...]]):
    """Commits, and loses the answer."""

    def commit(self) -> None:
        super().commit()
        raise psycopg.OperationalError("the connection is lost")


class _DiesBeforeTheCommit(psycopg.Connection[tuple[int, ...]]):
    """Loses the connection while the COMMIT is on its way."""

    def commit(self) -> None:
        self.close()
        raise psycopg.OperationalError("the connection is lost")


def _creates_a_lead(cursor: Cursor) -> Outcome:
    outcome = Outcome()
    cursor.execute("INSERT INTO lead (owner_id) VALUES (1)")
    outcome.count("lead", Change.CREATE, cursor.rowcount)
    return outcome


def _count(database: Database, table: str) -> int:
    ((count,),) = database.fetch(f"SELECT count(*) FROM {table}")
    assert isinstance(count, int)
    return count
