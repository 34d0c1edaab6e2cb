"""`steno verify` beside quarantine, retention and tables that hold nothing: no difference that is none, none hidden."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from stenograph.logs.embedded.audit import EmbeddedLogAudit
from stenograph.offsets import Partition
from stenograph.ports import Extent
from stenograph.verify import Report, Verdict
from tests.crash.site import Site, until
from tests.fix_postgres import Database
from tests.fix_shop import rewrite

UNHOLDABLE = """'{"n": "\\ud800"}'"""
"""JSON that Postgres takes and DuckDB does not: half a surrogate pair."""

MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(database: Database, tmp_path: Path) -> MakeSite:
    """Makes a pipeline of these tables, all of whose changes are stored."""

    def made(*tables: str, statements: tuple[str, ...]) -> Site:
        site = Site.make(tmp_path / "shop", database.dsn, tables)
        for table in tables:
            rewrite(site, f"public.{table}: {{}}", f"public.{table}: {{unheld: quarantine}}")
        with site.running():
            site.until_read()
            database.execute(*statements)
            site.until_captured()
            site.verified()
        return site

    return made


def verified(site: Site) -> Report:
    with site.running():
        return site.verified()


def behind_the_logs_back(database: Database, table: str, statement: str) -> None:
    """Run the statement so that nothing of it is published."""
    database.execute(
        f"ALTER PUBLICATION steno_shop DROP TABLE {table}",
        statement,
        f"ALTER PUBLICATION steno_shop ADD TABLE {table}",
    )


def places(report: Report) -> list[tuple[str, str, str]]:
    return [(found.check, found.table, found.place) for found in report.differences]


def forget(site: Site, segments: str) -> None:
    """Remove segments from the front of the log, as retention does."""
    with closing(sqlite3.connect(site.wiring.site.state / "log.db")) as log, log:
        log.execute(f"DELETE FROM segments WHERE {segments}")
        log.execute(
            "UPDATE ends SET first = coalesce((SELECT min(first) FROM segments r"
            " WHERE r.topic_id = ends.topic_id AND r.partition = ends.partition), next)"
        )


def test_a_table_that_never_held_a_row_is_proved(database: Database, make_site: MakeSite) -> None:
    database.execute("CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int PRIMARY KEY)")
    site = make_site("a", "b", statements=("INSERT INTO a VALUES (1)",))
    report = verified(site)
    assert report.verdict is Verdict.PROVED, report.as_json()


def test_a_value_that_the_warehouse_refused_is_unchecked_not_different(
    database: Database, make_site: MakeSite
) -> None:
    database.execute("CREATE TABLE a (id int PRIMARY KEY, v json)")
    site = make_site("a", statements=(f"INSERT INTO a VALUES (1, '{{}}'), (2, {UNHOLDABLE}), (3, '{{}}')",))
    report = verified(site)
    assert places(report) == []
    assert [found.check for found in report.unchecked] == ["quarantine"]


def test_a_quarantined_row_without_a_key_leaves_its_table_unchecked(
    database: Database, make_site: MakeSite
) -> None:
    database.execute("CREATE TABLE a (id int, v json)")
    site = make_site("a", statements=(f"INSERT INTO a VALUES (1, '{{}}'), (2, {UNHOLDABLE})",))
    report = verified(site)
    assert places(report) == []
    assert {found.check for found in report.unchecked} == {"quarantine", "source"}


@pytest.mark.parametrize(
    ("of", "key", "other"),
    [
        ("int", "1", "2"),
        ("timestamptz", "'2024-01-01 12:00:00+00'", "'2025-01-01 00:00:00+00'"),
        ("uuid", "gen_random_uuid()", "gen_random_uuid()"),
        ("numeric(8,2)", "1.50", "2.50"),
        ("date", "'2024-01-01'", "'2025-01-01'"),
    ],
)
def test_a_quarantined_key_stays_excused_when_the_log_has_forgotten_its_record(
    of: str, key: str, other: str, database: Database, make_site: MakeSite
) -> None:
    database.execute(f"CREATE TABLE a (id {of} PRIMARY KEY, v json)")
    site = make_site(
        "a",
        statements=(f"INSERT INTO a VALUES ({key}, {UNHOLDABLE})", f"INSERT INTO a VALUES ({other}, NULL)"),
    )
    assert places(verified(site)) == []
    forget(site, "true")
    assert places(verified(site)) == []


def test_a_key_that_history_cannot_hold_is_unchecked_not_different(
    database: Database, make_site: MakeSite
) -> None:
    database.execute("CREATE TABLE a (k date PRIMARY KEY, n int)")
    site = make_site("a", statements=("INSERT INTO a VALUES ('2026-01-01', 1), ('infinity', 2)",))

    report = verified(site)

    assert report.differences == []
    assert [found.check for found in report.unchecked] == ["quarantine"]
    behind_the_logs_back(database, "a", "UPDATE a SET n = 3 WHERE k = '2026-01-01'")
    assert [check for check, _, _ in places(verified(site))] == ["source"]


def test_a_quarantined_key_excuses_nothing_in_another_table(database: Database, make_site: MakeSite) -> None:
    database.execute(
        "CREATE TABLE a (id int PRIMARY KEY, v json)", "CREATE TABLE b (id int PRIMARY KEY, v int)"
    )
    site = make_site(
        "a",
        "b",
        statements=(f"INSERT INTO a VALUES (1, {UNHOLDABLE}), (2, NULL)", "INSERT INTO b VALUES (1, 1)"),
    )
    behind_the_logs_back(database, "b", "UPDATE b SET v = 2")
    assert places(site.verified()) == [("source", "public_b_history", '{"id": 1}')]


def test_a_change_sent_twice_is_no_difference_when_the_log_has_forgotten_the_first(
    database: Database, make_site: MakeSite
) -> None:
    database.execute("CREATE TABLE a (id int PRIMARY KEY)")
    site = make_site("a", statements=("INSERT INTO a VALUES (1)",))
    with closing(sqlite3.connect(site.wiring.site.state / "log.db")) as log, log:
        log.execute(
            "INSERT INTO segments (topic_id, partition, first, next, oldest, newest, payload)"
            " SELECT topic_id, partition, next, 2 * next - first, oldest, newest, payload FROM segments"
        )
        log.execute(
            "UPDATE ends SET next = (SELECT max(next) FROM segments r"
            " WHERE r.topic_id = ends.topic_id AND r.partition = ends.partition)"
            " WHERE next > 0"
        )
    assert places(verified(site)) == []
    forget(site, "first = 0")
    assert places(verified(site)) == []


def test_records_that_retention_removes_during_a_proof_are_no_difference(
    database: Database, make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute("CREATE TABLE a (id int PRIMARY KEY)")
    site = make_site("a", statements=("INSERT INTO a SELECT generate_series(1, 20)",))
    extents = EmbeddedLogAudit.extents

    looks = 0

    def then_forgets(log: EmbeddedLogAudit) -> Mapping[Partition, Extent]:
        nonlocal looks
        held, looks = extents(log), looks + 1
        if looks == 2:
            forget(site, "true")
        return held

    with site.running("sink"):
        monkeypatch.setattr(EmbeddedLogAudit, "extents", then_forgets)
        report = site.verified()
    assert places(report) == []
    assert report.counts["rows_beyond_the_log"] == 20


def test_a_key_that_changed_is_no_difference_when_the_log_has_forgotten_the_old_one(
    database: Database, make_site: MakeSite
) -> None:
    database.execute("CREATE TABLE a (id int PRIMARY KEY, code text NOT NULL)")
    site = make_site("a", statements=("INSERT INTO a VALUES (1, 'x')",))
    with site.running():
        database.execute("ALTER TABLE a DROP CONSTRAINT a_pkey, ADD PRIMARY KEY (code)")
        until(lambda: len(site.query("SELECT 1 FROM public_a_history")) == 3, "the table is read again")
    assert site.query("SELECT id, code FROM public_a_current") == [(1, "x")]
    forget(site, "true")
    assert places(verified(site)) == []
