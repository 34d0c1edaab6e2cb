"""What an operator sees when a pipeline file, a server or a record is not as it should be, and how it goes on after."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import closing
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from stenograph.cli.exits import Exit
from stenograph.offsets import order_of
from stenograph.ports import EncodedBatch
from tests.crash.commands import steno
from tests.crash.site import Site, until
from tests.fix_postgres import Database
from tests.fix_shop import ends, filled, goes_on, rewrite, site
from tests.operating import ask, at_terminal, log_lines, state_file, until_error

__all__ = ["filled", "site"]

TOPIC = "shop.public.lead"


# The pipeline file.


def test_every_fault_of_a_file_is_named_at_once_by_every_command(site: Site) -> None:
    rewrite(site, "tables:", "colour: green\ntables:\n  lead: {}")
    rewrite(site, "public.deal: {}", "public.deal: {modle: deal, track: 3}")
    for command in ("check", "status", "verify", "sql"):
        said = ask(site, command)
        assert said.code == Exit.CONFIGURATION
        for place in ("colour", "tables.lead", "tables.public.deal.modle", "tables.public.deal.track"):
            assert f"  {place}  " in said.err, said.err
    code, _ = ends(site, "capture")
    assert code == Exit.CONFIGURATION
    assert not (site.folder / ".steno").exists()


def test_the_faults_of_a_file_are_told_one_by_one_in_json(site: Site) -> None:
    rewrite(site, "tables:", "colour: green\ntables:\n  lead: {}")
    error = ask(site, "status", "--json").json["error"]
    assert (error["class"], error["summary"]) == ("ConfigurationFaults", "2 faults in pipelines/shop.yaml.")
    assert [fault["path"] for fault in error["faults"]] == ["colour", "tables.lead"]
    assert [fault["path"] for fault in ask(site, "check", "--json").json["faults"]] == [
        "colour",
        "tables.lead",
    ]


# The server.


def test_a_server_that_does_not_answer_is_waited_for(site: Site, database: Database) -> None:
    dsn = site.folder / "dsn"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dsn.write_text(f"postgresql://steno:pass-word@127.0.0.1:{nobody.getsockname()[1]}/crm")
        said = ask(site, "verify", "--json")
        assert (said.code, said.json["error"]["class"]) == (Exit.STOPPED, "SourceUnavailable")
        assert said.json["error"]["facts"]["port"] == str(nobody.getsockname()[1])
        with steno(site, "capture") as capture:
            until_error(site, "capture", "Postgres does not answer, or broke off.")
            (told,) = [loop for loop in ask(site, "status", "--json").json["loops"] if loop["pid"]]
            assert (told["loop"], told["pid"]) == ("capture", capture.pid)
            assert "Check that the server runs" in told["error"]
            capture.send_signal(signal.SIGINT)
            assert capture.wait(10) == 0
    assert {line["event"] for line in log_lines(site, "capture")} == {"started", "retrying", "stopped"}
    dsn.write_text(database.dsn)
    goes_on(site, database)


@pytest.mark.parametrize(
    ("case", "summary", "step"),
    [
        ("password", "Postgres does not accept the user's password.", "Check the user and the password"),
        ("database", "The server has no database of that name.", "psql -l"),
        ("table", "Table public.laed does not exist in this database.", "did you mean public.lead?"),
        ("right", "The role may not replicate.", "REPLICATION;"),
    ],
)
def test_a_server_that_says_no_ends_capture_with_the_next_step(
    case: str, summary: str, step: str, site: Site, database: Database
) -> None:
    facts = conninfo_to_dict(database.dsn)
    role = f"role_{database.name}"
    match case:
        case "password":
            (site.folder / "dsn").write_text(database.dsn.replace(str(facts["password"]), "not-the-one"))
        case "database":
            (site.folder / "dsn").write_text(f"{database.dsn}_of_others")
        case "table":
            rewrite(site, "public.lead", "public.laed")
        case _:
            database.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'role-pass'")
            place = f"{facts['host']}:{facts['port']}/{database.name}"
            (site.folder / "dsn").write_text(f"postgresql://{role}:role-pass@{place}")
    try:
        code, _ = ends(site, "capture")
    finally:
        database.execute(f"DROP ROLE IF EXISTS {role}")
    assert code == Exit.STOPPED
    last = log_lines(site, "capture")[-1]
    assert (last["event"], last["error"], last["summary"]) == (
        "stopped by an error",
        "SourceRefused",
        summary,
    )
    assert step in last["hint"]
    assert database.fetch(
        "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
    ) == [(0,)]
    assert ask(site, "status", "--json").json["tables"][0]["in_log"] == 0


def test_at_a_terminal_the_error_that_ends_a_loop_is_told_as_text(site: Site) -> None:
    rewrite(site, "public.lead", "public.laed")
    said = at_terminal(site, ["capture"], "")
    assert said.code == Exit.STOPPED
    lines = said.out.splitlines()
    assert lines[-3] == "error: Table public.laed does not exist in this database."
    assert lines[-1].startswith("  next: Correct the names under `tables` in the pipeline file.")


# Records.


def _damaged(site: Site) -> list[bytes]:
    """A good record's value, damaged in every way, put into the log by hand; the values."""
    wiring = site.wiring
    with closing(wiring.log.audit()) as log:
        at = next(p for p, extent in log.extents().items() if p.topic == TOPIC and extent.end)
        good = log.records(at, 0, 1)
    (value, *_), (key, *_) = good.values, good.keys
    assert value is not None
    values = [b"\1" + value[1:], b"\0\0\0\3\xe7" + value[5:], value[:-3], value + b"\0", b"\0\0"]
    with closing(wiring.log.writer()) as writer:
        writer.append(
            EncodedBatch(
                source="by hand",
                lane="by hand",
                topics=[TOPIC] * len(values),
                keys=[key] * len(values),
                values=values,
                timestamps=[0] * len(values),
                orders=[order_of(1, 1, 1, n) for n in range(len(values))],
                headers=[()] * len(values),
            )
        )
    return values


def test_records_that_nobody_can_read_are_set_aside_and_named_while_the_table_goes_on(
    filled: Site, database: Database
) -> None:
    values = _damaged(filled)
    database.execute("UPDATE lead SET name = 'after'")
    with filled.running():
        filled.until_captured()
        said = ask(filled, "verify", "--json")
    assert (said.code, said.json["ok"], said.json["differences"]) == (Exit.BEHIND, False, [])
    reasons = [each["message"] for each in said.json["unchecked"] if each["check"] == "quarantine"]
    for words in ("magic byte", "no schema of the id", "not a datum", "left over", "shorter than"):
        assert sum(words in reason for reason in reasons) == 1
    (lead,) = [t for t in ask(filled, "status", "--json").json["tables"] if t["table"] == "public.lead"]
    assert (lead["quarantined"], lead["waiting"]) == (len(values), 0)
    kept = {row[0] for row in filled.query("SELECT value FROM _steno_quarantine")}
    assert kept == set(values)
    assert ("after",) in filled.query("SELECT name FROM public_lead_current")


def test_a_table_of_which_nothing_could_be_stored_is_unchecked_and_no_error(site: Site) -> None:
    with site.running("capture"):
        site.until_read()
    with closing(site.wiring.log.audit()) as log:
        numbers = {
            int.from_bytes(value[1:5], "big")
            for partition in log.extents()
            if partition.topic == TOPIC
            for value in log.records(partition, 0, 100).values
            if value is not None
        }
    for number in numbers:
        (state_file(site, "registry") / "ids" / f"{number}.avsc").unlink()
    with site.running("sink"):
        said = ask(site, "verify", "--json")
    assert said.code == Exit.BEHIND
    assert {each["table"] for each in said.json["unchecked"]} == {"public_lead_history"}


# Signals.


def test_ctrl_c_at_the_terminal_ends_run_and_its_loops_well(filled: Site) -> None:
    with steno(filled, "run") as run:
        until(
            lambda: (filled.folder / "run.out").read_text().count('"started"') == 2, "both loops have started"
        )
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        for pid in [run.pid, *map(int, children)]:
            # A terminal tells the whole group.
            os.kill(pid, signal.SIGINT)
        assert run.wait(10) == 0
    assert [line["event"] for line in log_lines(filled, "run")].count("stopped") == 2
