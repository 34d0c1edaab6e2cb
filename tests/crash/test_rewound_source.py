"""A source that is restored to an older state of itself is noticed, and the pipeline goes on when it is told to."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from stenograph.assembly import Start
from stenograph.errors import SourceRewound
from stenograph.sources.postgres.server import EmbeddedServer, is_running, stop
from tests.crash.site import Site, until
from tests.fix_postgres import FAST


@pytest.fixture
def embedded_site(tmp_path: Path) -> Iterator[Site]:
    """A pipeline whose server is its own, with a table `lead` of two rows, already read."""
    folder = tmp_path / "shop"
    site = Site.make(folder, "embedded:pg", tables=["lead"])
    try:
        with EmbeddedServer(folder / "pg", settings=FAST) as dsn:
            _execute(
                dsn,
                "CREATE TABLE lead (id int PRIMARY KEY, name text NOT NULL, revision int NOT NULL)",
                "INSERT INTO lead VALUES (1, 'a', 1), (2, 'b', 1)",
            )
            with site.running():
                site.assert_proved()
        yield site
    finally:
        stop(folder / "pg")
        shutil.rmtree((folder / "pg").resolve())


def _execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _data(site: Site) -> Path:
    assert not is_running(site.folder / "pg")
    return (site.folder / "pg").resolve() / "data"


def _copied(site: Site, target: Path) -> None:
    # cp keeps the owner, which is another user where the tests run as root.
    subprocess.run(["cp", "-a", str(_data(site)), str(target)], check=True)


def _restored(site: Site, backup: Path) -> None:
    shutil.rmtree(_data(site))
    subprocess.run(["cp", "-a", str(backup), str(_data(site))], check=True)


def test_a_restored_source_stops_capture_and_a_new_run_puts_history_right(
    embedded_site: Site, tmp_path: Path
) -> None:
    """Invariant 8: a position never moves backward."""
    site, backup = embedded_site, tmp_path / "backup"
    _copied(site, backup)
    with EmbeddedServer(site.folder / "pg", settings=FAST) as dsn:
        _execute(dsn, "INSERT INTO lead VALUES (3, 'lost', 2)", "UPDATE lead SET name = 'lost', revision = 2")
        with site.running():
            site.assert_proved()
    _restored(site, backup)
    with EmbeddedServer(site.folder / "pg", settings=FAST) as dsn:
        with pytest.raises(SourceRewound, match="older state"), site.running("capture") as failures:
            until(lambda: bool(failures), "capture stops")
        _execute(dsn, "INSERT INTO lead VALUES (4, 'new', 3)")
        before = site.run_number()
        with site.running(start=Start.ANEW):
            site.until_read(before)
            _execute(dsn, "UPDATE lead SET name = 'newer' WHERE id = 4", "DELETE FROM lead WHERE id = 1")
            report = site.assert_proved()
    # What is lost stays recorded, and the new run has read the tables since.
    assert report.counts["repaired_gaps"] == 1
    assert site.query("SELECT id, name FROM public_lead_current ORDER BY id") == [(2, "b"), (4, "newer")]
    # What the lost transactions did stays in history: it was committed once.
    assert site.query("SELECT count(*) FROM public_lead_history WHERE name = 'lost'") == [(4,)]


def test_a_restored_source_that_was_written_to_since_is_noticed(embedded_site: Site, tmp_path: Path) -> None:
    """Invariant 8: its WAL has passed the stored position again, with other changes."""
    site, backup = embedded_site, tmp_path / "backup"
    _copied(site, backup)
    with EmbeddedServer(site.folder / "pg", settings=FAST) as dsn:
        _execute(dsn, "INSERT INTO lead VALUES (3, 'lost', 2)", "UPDATE lead SET name = 'lost', revision = 2")
        with site.running():
            site.assert_proved()
    _restored(site, backup)
    with EmbeddedServer(site.folder / "pg", settings=FAST) as dsn:
        _execute(dsn, *(f"INSERT INTO lead VALUES ({number}, 'new', 3)" for number in range(100, 150)))
        for _ in range(2):
            # What was refused once is refused again: the slot has not moved meanwhile.
            with pytest.raises(SourceRewound, match="written to since"), site.running("capture") as failures:
                until(lambda: bool(failures), "capture stops")
        before = site.run_number()
        with site.running(start=Start.ANEW):
            site.until_read(before)
            site.assert_proved()
    assert site.query("SELECT count(*) FROM public_lead_current") == [(52,)]


def test_a_restored_source_whose_wal_grew_without_changes_of_ours_is_noticed(
    embedded_site: Site, tmp_path: Path
) -> None:
    """Invariant 8: the transaction that the log has seen last is missing, and nothing stands in its place."""
    site, backup = embedded_site, tmp_path / "backup"
    _copied(site, backup)
    with EmbeddedServer(site.folder / "pg", settings=FAST) as dsn:
        _execute(dsn, "INSERT INTO lead VALUES (3, 'lost', 2)")
        with site.running():
            site.assert_proved()
    _restored(site, backup)
    with EmbeddedServer(site.folder / "pg", settings=FAST) as dsn:
        _execute(dsn, "CREATE TABLE other AS SELECT generate_series(1, 10000) AS n")
        with pytest.raises(SourceRewound, match="written to since"), site.running("capture") as failures:
            until(lambda: bool(failures), "capture stops")
