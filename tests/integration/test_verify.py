"""`steno verify` names whatever is wrong with history, and never mistakes lag for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest

from stenograph.verify import Verdict
from tests.crash.journal import SCHEMA, Journal, before_the_snapshot, tell
from tests.crash.site import Site
from tests.fix_postgres import Database


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    """A pipeline that holds the whole workload; nothing runs any more."""
    database.execute(*SCHEMA)
    made = Site.make(tmp_path / "shop", database.dsn)
    with Journal(database.connect()) as journal:
        before_the_snapshot(journal)
        with made.running():
            made.until_read()
            tell(journal)
            made.assert_proved()
    return made


@pytest.fixture
def history(site: Site) -> Path:
    return site.wiring.site.state / "history.duckdb"


def _verify(site: Site, patience: float = 30) -> tuple[int, dict[str, Any]]:
    """The command's exit code and certificate."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "stenograph.cli",
            "verify",
            "-p",
            str(site.file),
            "--json",
            "--patience",
            str(patience),
        ],
        cwd=site.folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def _by_hand(history: Path, *statements: str) -> None:
    with duckdb.connect(str(history)) as connection:
        for statement in statements:
            connection.execute(statement)


def _difference(site: Site) -> dict[str, str]:
    """The first difference; the verification must say that it differs."""
    code, certificate = _verify(site)
    assert (code, certificate["ok"], certificate["verdict"]) == (1, False, "differs")
    named: dict[str, str] = certificate["differences"][0]
    return named


def _place(site: Site, condition: str) -> str:
    ((topic, partition, offset),) = site.query(
        f"SELECT _steno_topic, _steno_log_partition, _steno_log_offset FROM public_lead_history WHERE {condition}"
    )
    return f"{topic}/{partition}@{offset}"


ONE = "id = 3 AND revision = (SELECT max(revision) FROM public_lead_history WHERE id = 3)"


def test_an_idle_pipeline_is_proved_without_any_loop_running(site: Site) -> None:
    code, certificate = _verify(site)
    assert (code, certificate["ok"], certificate["differences"], certificate["unchecked"]) == (
        0,
        True,
        [],
        [],
    )
    counts = certificate["counts"]
    assert counts["tables"] == 3
    assert counts["rows"] == counts["log_records"] > 70


@pytest.mark.parametrize(
    "statement",
    [
        f"DELETE FROM public_lead_history WHERE {ONE}",
        f"UPDATE public_lead_history SET name = 'forged' WHERE {ONE}",
        f"UPDATE public_lead_history SET name = NULL WHERE {ONE}",
        f"UPDATE public_lead_history SET _steno_op = 'delete' WHERE {ONE}",
        f"UPDATE public_lead_history SET _steno_committed_at = _steno_committed_at + INTERVAL 1 DAY WHERE {ONE}",
        f"UPDATE public_lead_history SET _steno_transaction = '1' WHERE {ONE}",
        f"INSERT INTO public_lead_history SELECT * FROM public_lead_history WHERE {ONE}",
    ],
    ids=[
        "deleted",
        "altered",
        "emptied",
        "another operation",
        "another time",
        "another transaction",
        "doubled",
    ],
)
def test_a_row_changed_by_hand_is_named(statement: str, site: Site, history: Path) -> None:
    place = _place(site, ONE)
    _by_hand(history, statement)
    found = _difference(site)
    assert (found["check"], found["table"], found["place"]) == ("log", "public_lead_history", place)


def test_a_row_that_no_log_record_has_is_named(site: Site, history: Path) -> None:
    _by_hand(
        history,
        "INSERT INTO public_lead_history BY NAME "
        f"SELECT * REPLACE (999 AS id, 1000000 AS _steno_log_offset) FROM public_lead_history WHERE {ONE}",
    )
    found = _difference(site)
    assert (found["check"], found["table"]) == ("books", "public_lead_history")


def test_a_removed_span_is_named(site: Site, history: Path) -> None:
    _by_hand(
        history,
        "DELETE FROM _steno_spans WHERE history_table = 'public_lead_history' AND (log_partition, start) = "
        "(SELECT (log_partition, min(start)) FROM _steno_spans WHERE history_table = 'public_lead_history' "
        "GROUP BY log_partition ORDER BY log_partition LIMIT 1)",
    )
    found = _difference(site)
    assert found["check"] == "books"
    assert "missing a span" in found["message"] or "spans end at 0" in found["message"]


def test_a_moved_ledger_is_named(site: Site, history: Path) -> None:
    _by_hand(
        history,
        "UPDATE _steno_ledger SET next_offset = next_offset + 1 "
        "WHERE topic = 'shop.public.lead' AND log_partition = 1",
    )
    found = _difference(site)
    assert found["check"] == "books"
    assert found["place"].startswith("shop.public.lead/1")


@pytest.mark.parametrize(
    ("change", "row", "message"),
    [
        ("UPDATE lead SET name = 'unseen' WHERE id = 7", '{"id": 7}', "the row differs from the source's"),
        ("DELETE FROM lead WHERE id = 7", '{"id": 7}', "history has the row, the source not"),
        ("INSERT INTO lead VALUES (777, 'unseen', 1)", '{"id": 777}', "the source has the row, history not"),
    ],
    ids=["updated", "deleted", "inserted"],
)
def test_a_source_row_changed_behind_the_log_s_back_is_named(
    change: str, row: str, message: str, site: Site, database: Database
) -> None:
    # With its triggers and publication out of the way, as a superuser's repair might have it.
    database.execute(
        "ALTER PUBLICATION steno_shop DROP TABLE lead", change, "ALTER PUBLICATION steno_shop ADD TABLE lead"
    )
    found = _difference(site)
    assert (found["check"], found["table"]) == ("source", "public_lead_history")
    assert (found["place"], found["message"]) == (row, message)


def test_a_keyless_source_row_changed_behind_the_log_s_back_is_named(site: Site, database: Database) -> None:
    database.execute(
        "ALTER PUBLICATION steno_shop DROP TABLE visit",
        "INSERT INTO visit VALUES ('/unseen', 1)",
        "ALTER PUBLICATION steno_shop ADD TABLE visit",
    )
    found = _difference(site)
    assert (found["check"], found["table"]) == ("source", "public_visit_history")


def test_a_pipeline_whose_sink_does_not_run_is_behind_not_wrong(site: Site, database: Database) -> None:
    with site.running("capture"):
        database.execute("UPDATE lead SET name = 'later' WHERE id = 7")
        code, certificate = _verify(site, patience=1)
    assert (code, certificate["ok"], certificate["verdict"]) == (3, False, "behind")
    assert certificate["differences"] == []
    assert {found["table"] for found in certificate["unchecked"]} == {"shop.public.lead"}


def test_a_pipeline_whose_capture_does_not_run_is_behind_not_wrong(site: Site, database: Database) -> None:
    database.execute("UPDATE lead SET name = 'later' WHERE id = 7")
    code, certificate = _verify(site, patience=1)
    assert (code, certificate["ok"], certificate["verdict"]) == (3, False, "behind")
    assert certificate["differences"] == []


def test_a_damaged_history_that_is_also_behind_differs(site: Site, database: Database, history: Path) -> None:
    _by_hand(history, f"DELETE FROM public_lead_history WHERE {ONE}")
    database.execute("UPDATE lead SET name = 'later' WHERE id = 7")
    code, certificate = _verify(site, patience=1)
    assert (code, certificate["verdict"]) == (1, "differs")


def test_it_is_proved_while_the_source_is_written_to(site: Site, database: Database) -> None:
    enough = threading.Event()

    def write() -> None:
        with database.connect() as connection:
            number = 10_000
            while not enough.is_set():
                connection.execute("INSERT INTO lead VALUES (%s, 'x', 1), (%s, 'y', 1)", [number, number + 1])
                connection.execute("UPDATE lead SET revision = revision + 1 WHERE id IN (3, %s)", [number])
                connection.execute("DELETE FROM lead WHERE id = %s", [number + 1])
                number += 2
                # Slow enough for two cores that read all of it again.
                enough.wait(0.01)

    writer = threading.Thread(target=write)
    with site.running():
        writer.start()
        try:
            for _ in range(2):
                code, certificate = _verify(site)
                assert (code, certificate["ok"]) == (0, True), certificate
        finally:
            enough.set()
            writer.join(30)


def test_a_proof_never_stops_a_capture_that_starts_meanwhile(site: Site) -> None:
    """A proof looks into the slot while no capture runs, and for that moment it holds it."""
    for _ in range(12):
        with site.running("capture"):
            assert site.verified().verdict is Verdict.PROVED
