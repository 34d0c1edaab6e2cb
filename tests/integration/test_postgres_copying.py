"""Lines of a COPY are taken many at a time, and the session can be used again, however the COPY ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from stenograph.errors import StenographError
from stenograph.events import TableId
from stenograph.sources.postgres import table_reading
from stenograph.sources.postgres.columnar.lines import encoded_lines
from stenograph.sources.postgres.columnar.records import Records
from stenograph.sources.postgres.columnar.table import ColumnarTable
from stenograph.sources.postgres.copying import Copying
from stenograph.sources.postgres.session import Session, connect
from tests.capturing import capturing
from tests.fix_postgres import Database

TABLE = TableId("public", "numbers")
PATIENCE = 20.0


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with closing(connect(database.dsn)) as session:
        yield session


def copying(session: Session, database: Database, query: sql.SQL) -> Copying:
    return Copying(session, database.dsn, TABLE, sql.SQL("COPY ({}) TO STDOUT").format(query))


def soon() -> float:
    return time.monotonic() + PATIENCE


def all_lines(of: Copying) -> list[bytes]:
    lines = []
    while not of.is_over:
        lines += of.lines(soon())
    return lines


def is_usable(session: Session) -> bool:
    return session.execute("SELECT 1").fetchone() == (1,)


def test_every_line_comes_in_its_order(session: Session, database: Database) -> None:
    of = copying(session, database, sql.SQL("SELECT generate_series(1, 100000)"))
    assert all_lines(of) == [b"%d\n" % number for number in range(1, 100_001)]
    assert of.lines(soon()) == []
    assert is_usable(session)


def test_rows_that_only_the_reference_writes_cost_few_runs_of_whole_columns(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY, until timestamptz)",
        "INSERT INTO lead SELECT n, CASE n % 2 WHEN 0 THEN 'infinity' ELSE now() END FROM generate_series(1, 4000) n",
    )
    runs = []

    def counted(table: ColumnarTable, lines: Sequence[bytes], tail: bytes, now: bytes) -> Records:
        runs.append(len(lines))
        return encoded_lines(table, lines, tail, now)

    monkeypatch.setattr(table_reading, "encoded_lines", counted)
    with capturing(database.dsn, "lead") as capture:
        capture.run_until_records(4000)
        assert [event.key for event in capture.events()] == [{"id": number} for number in range(1, 4001)]
    assert 0 < sum(runs) < 3 * 4000


def test_a_copy_of_nothing_is_over_at_once(session: Session, database: Database) -> None:
    of = copying(session, database, sql.SQL("SELECT 1 WHERE false"))
    assert of.lines(soon()) == []
    assert of.is_over
    assert is_usable(session)


def test_a_copy_may_be_left_in_the_middle(session: Session, database: Database) -> None:
    of = copying(session, database, sql.SQL("SELECT generate_series(1, 100000000)"))
    assert of.lines(soon())[0] == b"1\n"
    of.close()
    of.close()
    assert of.lines(soon()) == []
    assert is_usable(session)


def test_a_line_that_is_slow_to_come_is_waited_for_until_the_time(
    session: Session, database: Database
) -> None:
    of = copying(session, database, sql.SQL("SELECT 1 FROM pg_sleep(1000000)"))
    assert of.lines(time.monotonic()) == []
    assert not of.is_over
    of.close()
    assert is_usable(session)


REFUSED = ("SELECT 1 FROM missing", "SELECT 1000 / (500 - n) FROM generate_series(1, 1000) n")


@pytest.mark.parametrize("query", REFUSED)
def test_what_the_server_refuses_says_of_which_table(
    session: Session, database: Database, query: LiteralString
) -> None:
    of = copying(session, database, sql.SQL(query))
    with pytest.raises(StenographError) as refusal:
        all_lines(of)
    assert isinstance(refusal.value.__cause__, psycopg.Error)
    assert refusal.value.facts["table"] == TABLE
    assert of.is_over
    assert is_usable(session)
