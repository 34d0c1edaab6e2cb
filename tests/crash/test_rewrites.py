"""A table rewritten by DDL and a table read again on request: in history, in verify, and through kills."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from stenograph.assembly import rereading
from stenograph.sources.postgres import watch
from stenograph.verify import Report, Verdict
from tests.crash.commands import said, steno, until_runs
from tests.crash.failpoints import Failpoint
from tests.crash.site import Site, until
from tests.fix_postgres import Database


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(watch, "COMPARE_SECONDS", 0.1)


@pytest.fixture
def lead(database: Database, tmp_path: Path) -> Site:
    """A pipeline of one small table that has never run."""
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY, name text)",
        "INSERT INTO lead VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    )
    return Site.make(tmp_path / "shop", database.dsn, tables=["lead"])


def _only_marks(site: Site) -> None:
    site.file.write_text(site.file.read_text().replace("public.lead: {}", "public.lead: {on_rewrite: mark}"))


def _unchecked(report: Report) -> str:
    return "\n".join(map(str, report.unchecked))


def _read_again(site: Site) -> None:
    with rereading(site.pipeline, "public_lead") as made:
        made.make()
        until(lambda: made.look().is_done, "the table is read again")


def _repaired(site: Site) -> bool:
    return site.query("SELECT count(*) FROM _steno_gaps WHERE repaired_by IS NOT NULL") == [(1,)]


def test_a_table_that_is_only_marked_is_unchecked_until_it_is_read_again(
    lead: Site, database: Database
) -> None:
    _only_marks(lead)
    with lead.running():
        lead.assert_proved()
        database.execute(
            "ALTER TABLE lead ADD COLUMN grade int DEFAULT 7", "UPDATE lead SET name = 'new' WHERE id = 1"
        )
        # Whether capture has noticed yet or not, verify never takes the rewrite for a difference.
        first = lead.verified()
        assert first.verdict is Verdict.BEHIND
        assert "stale" in _unchecked(first)
        until(
            lambda: lead.query("SELECT table_name, repaired_by FROM _steno_gaps") == [("public.lead", None)],
            "the log and history know",
        )
        second = lead.verified()
        assert second.verdict is Verdict.BEHIND
        assert 'column "grade" was added with a default' in _unchecked(second)
        assert "stale since 20" in _unchecked(second)
        _read_again(lead)
        until(lambda: _repaired(lead), "the repair is recorded")
        assert lead.assert_proved().counts["repaired_gaps"] == 1
    assert lead.query("SELECT id, name, grade FROM public_lead_current ORDER BY id") == [
        (1, "new", 7),
        (2, "b", 7),
        (3, "c", 7),
    ]


def test_a_rewritten_table_heals_by_itself_and_only_what_differs_is_a_new_version(
    lead: Site, database: Database
) -> None:
    with lead.running():
        lead.assert_proved()
        database.execute("ALTER TABLE lead ALTER COLUMN name TYPE text USING replace(name, 'b', 'bee')")
        until(lambda: _repaired(lead), "the repair is recorded")
        lead.assert_proved()
    assert lead.query(
        "SELECT id, name, change, ended_by, is_current FROM public_lead_versions ORDER BY id, valid_from"
    ) == [
        (1, "a", "snapshot", None, True),
        (2, "b", "snapshot", "truncate", False),
        (2, "bee", "snapshot", None, True),
        (3, "c", "snapshot", None, True),
    ]


def test_rows_that_left_with_their_partition_are_ended(database: Database, tmp_path: Path) -> None:
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY, name text) PARTITION BY RANGE (id)",
        "CREATE TABLE old PARTITION OF lead FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE young PARTITION OF lead FOR VALUES FROM (10) TO (20)",
        "INSERT INTO lead VALUES (1, 'a'), (11, 'b')",
    )
    site = Site.make(tmp_path / "shop", database.dsn, tables=["lead"])
    with site.running():
        site.assert_proved()
        database.execute("DROP TABLE old")
        until(lambda: _repaired(site), "the repair is recorded")
        site.assert_proved()
    assert site.query("SELECT id, ended_by FROM public_lead_versions ORDER BY id") == [
        (1, "truncate"),
        (11, None),
    ]


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("call", ["before log.append", "after log.append"])
def test_a_capture_killed_in_any_step_of_a_rewrite_goes_on_with_it(
    lead: Site, database: Database, call: str, nth: int
) -> None:
    """Invariant 8: recorded, read again, recorded as repaired; each is one append."""
    with lead.running():
        lead.assert_proved()
    database.execute("ALTER TABLE lead ADD COLUMN grade int DEFAULT 7")
    lead.die("capture", Failpoint(call, nth))
    with lead.running():
        until(lambda: _repaired(lead), "the repair is recorded")
        lead.assert_proved()
    assert lead.query("SELECT DISTINCT grade FROM public_lead_current") == [(7,)]
    assert lead.query("SELECT count(*) FROM _steno_gaps") == [(2,)]


def test_snapshot_reads_a_table_again_while_everything_runs(lead: Site) -> None:
    with lead.running():
        lead.assert_proved()
    with steno(lead, "run"):
        until_runs(lead, "capture")
        with steno(lead, "snapshot", "public.lead", "--json") as asked:
            assert asked.wait(60) == 0
        told = json.loads(said(lead, "snapshot"))
        assert (told["ok"], told["state"], told["table"]) == (True, "done", "public.lead")
        lead.assert_proved()
    assert lead.query("SELECT count(*) FROM public_lead_history WHERE _steno_op = 'snapshot'") == [(6,)]
    assert lead.query("SELECT count(*) FROM public_lead_versions") == [(3,)]


def test_snapshot_survives_a_capture_that_is_killed(lead: Site) -> None:
    with lead.running():
        lead.assert_proved()
    with steno(lead, "run"):
        pid = until_runs(lead, "capture")
        with steno(lead, "snapshot", "lead") as asked:
            requests = lead.wiring.log.requests()
            until(lambda: bool(requests.pending()), "it is asked for")
            os.kill(pid, signal.SIGKILL)
            assert asked.wait(60) == 0
    assert "was read again" in said(lead, "snapshot")


def test_snapshot_without_a_capture_is_done_by_the_next_one(lead: Site) -> None:
    with lead.running():
        lead.assert_proved()
    with steno(lead, "snapshot", "lead") as asked:
        assert asked.wait(30) == 3
    assert "No capture runs: the next one to start reads it." in said(lead, "snapshot")
    with lead.running():
        until(
            lambda: (
                lead.query("SELECT count(*) FROM public_lead_history WHERE _steno_op = 'snapshot'") == [(6,)]
            ),
            "the rows are in history",
        )
        lead.assert_proved()
    assert lead.wiring.log.requests().pending() == []


def test_snapshot_says_what_it_cannot_read(lead: Site, database: Database) -> None:
    with lead.running():
        lead.assert_proved()
    database.execute("ALTER PUBLICATION steno_shop DROP TABLE lead")
    with steno(lead, "snapshot", "lead", "--json") as asked:
        assert asked.wait(30) == 1
    error = json.loads(said(lead, "snapshot"))["error"]
    assert (error["class"], "is not in the publication" in error["summary"]) == ("SourceRefused", True)
    assert 'ALTER PUBLICATION "steno_shop" ADD TABLE "public"."lead";' in error["hint"]
    with steno(lead, "snapshot", "laed", "--no-wait") as asked:
        assert asked.wait(30) == 2
    assert "no table called" in said(lead, "snapshot")
    assert lead.wiring.log.requests().pending() == []
