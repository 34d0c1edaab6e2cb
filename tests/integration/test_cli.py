"""The commands that ask, as a person and as a program use them, on a pipeline that holds a small workload."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stenograph.cli.exits import Exit
from tests.crash.databases import fresh_database
from tests.crash.journal import SCHEMA, Journal, before_the_snapshot, tell
from tests.crash.site import Site, until
from tests.fix_postgres import PostgresServer
from tests.operating import STENO, ask, at_terminal, password_of, state_file

COUNT = "SELECT count(*) AS n FROM public_lead_history"


@pytest.fixture(scope="module")
def site(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A pipeline that holds the whole workload; nothing runs any more, and no test changes it."""
    with fresh_database(postgres_server) as database:
        database.execute(*SCHEMA)
        made = Site.make(tmp_path_factory.mktemp("cli") / "shop", database.dsn)
        with Journal(database.connect()) as journal:
            before_the_snapshot(journal)
            with made.running():
                made.until_read()
                tell(journal)
                made.assert_proved()
        yield made


def test_check_names_the_pipeline_and_its_tables(site: Site) -> None:
    said = ask(site, "check")
    assert (said.code, said.err) == (0, "")
    assert said.out == "pipelines/shop.yaml: ok. postgres shop: public.lead, public.deal, public.visit\n"


def test_check_in_json_shows_references_and_no_secret(site: Site) -> None:
    said = ask(site, "check", "--json")
    assert said.code == 0
    assert said.json["ok"] is True
    assert said.json["pipelines"][0]["source"]["dsn"] == f"file:{site.folder / 'dsn'}"


def test_status_counts_what_is_in_the_log_and_in_history(site: Site) -> None:
    said = ask(site, "status", "--json")
    assert said.code == 0
    for table in said.json["tables"]:
        assert table["in_log"] == table["stored_up_to"] > 0
        assert (table["waiting"], table["quarantined"]) == (0, 0)
    assert [loop["pid"] for loop in said.json["loops"]] == [None, None]
    assert (said.json["gaps"], said.json["unread"]) == ([], [])


def test_a_run_file_of_another_version_does_not_stop_status(site: Site) -> None:
    file = site.wiring.site.run / "sink.json"
    kept = file.read_text()
    try:
        for text in ("[]", '{"colour": "green"}', "", "{"):
            file.write_text(text)
            assert ask(site, "status").code == 0
    finally:
        file.write_text(kept)


def test_a_record_s_life_is_told_change_by_change(site: Site) -> None:
    said = ask(site, "history", "lead", "1001")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == "public_lead_history  id=1001"
    assert [line.split()[2] for line in lines[2:-1]] == ["snapshot", "truncate"]
    assert lines[-1] == "It does not exist any more."


def test_the_life_of_a_composite_key_in_json(site: Site) -> None:
    said = ask(site, "history", "public.deal", "us", "5", "--json")
    assert said.code == 0
    assert (said.json["key"], said.json["exists"]) == ({"region": "us", "number": "5"}, True)
    created, updated = said.json["entries"]
    assert (created["op"], created["related_key"]) == ("create", {"region": "eu", "number": 5})
    (change,) = updated["changes"]
    assert (updated["op"], change["column"]) == ("update", "revision")
    assert int(change["new"]) > int(change["old"])


def test_a_key_that_history_never_saw_has_no_entries(site: Site) -> None:
    said = ask(site, "history", "lead", "no-number", "--json")
    assert (said.code, said.json["entries"], said.json["exists"]) == (0, [], False)


def test_a_key_of_too_few_values_names_the_columns(site: Site) -> None:
    said = ask(site, "history", "deal", "eu")
    assert said.code == Exit.CONFIGURATION
    assert "Give the key's values in this order: region number." in said.err


def test_a_table_without_a_key_has_no_records_to_name(site: Site) -> None:
    said = ask(site, "history", "public.visit", "1")
    assert said.code == Exit.CONFIGURATION
    assert "public.visit has no primary key" in said.err


def test_an_unknown_table_is_answered_with_the_nearest_name(site: Site) -> None:
    said = ask(site, "history", "laed", "1")
    assert said.code == Exit.CONFIGURATION
    assert 'no table called laed; did you mean "lead"?' in said.err
    assert "next: Name one of: public_lead, public_deal, public_visit." in said.err
    assert "no table called something." in ask(site, "history", "something", "1").err


def test_verify_proves_for_a_person_and_for_a_program(site: Site) -> None:
    said = ask(site, "verify")
    assert said.code == 0
    assert said.out.startswith("Proved: history is what the log and the source say.\n")
    certificate = ask(site, "verify", "--json")
    assert (certificate.code, certificate.json["ok"], certificate.json["verdict"]) == (0, True, "proved")


def test_sql_answers_from_its_argument_and_from_standard_input(site: Site) -> None:
    (row,) = ask(site, "sql", COUNT, "--json").json
    assert row["n"] > 20
    for typed in (COUNT, f"{COUNT};\n"):
        assert ask(site, "sql", "--json", stdin=typed).json == [row]
    assert ask(site, "sql", stdin=COUNT).out.split() == ["n", str(row["n"])]


def test_sql_in_json_keeps_what_json_has_no_number_for(site: Site) -> None:
    said = ask(
        site,
        "sql",
        r"SELECT 1.5::DECIMAL(9, 2) AS d, '\x00\xff'::BLOB AS b, NULL AS n, 'nan'::DOUBLE AS f",
        "--json",
    )
    assert said.json == [{"d": "1.50", "b": "00ff", "n": None, "f": "nan"}]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM public_lead_history",
        "CREATE TABLE mine (i int)",
        "SELECT 1; SELECT 2",
        "DROP VIEW public_lead_current",
    ],
)
def test_sql_that_is_not_one_query_is_refused(statement: str, site: Site) -> None:
    before = ask(site, "sql", COUNT, "--json").json
    said = ask(site, "sql", statement, "--json")
    assert (said.code, said.json["error"]["class"]) == (Exit.STOPPED, "WarehouseRefused")
    assert said.json["error"]["hint"] == "Ask with one SELECT; history is changed by the sink alone."
    assert ask(site, "sql", COUNT, "--json").json == before


def test_a_misspelt_table_in_sql_is_answered_with_where_to_look(site: Site) -> None:
    said = ask(site, "sql", "SELECT * FROM public_laed_current")
    assert said.code == Exit.STOPPED
    assert "next: Correct the name; SHOW TABLES lists the tables and views there are." in said.err
    assert "public_lead_current" in ask(site, "sql", "SHOW TABLES").out


def test_the_prompt_answers_statements_over_lines_survives_errors_and_ends(site: Site) -> None:
    said = at_terminal(
        site, ["sql"], "SELECT 6 *\n7 AS answer;\nSELECT nonsense;\nSELECT 'still ' || 'here';\n\x04"
    )
    assert said.code == 0
    assert "History tables: public_deal_history, public_lead_history, public_visit_history" in said.out
    for words in ("answer", "42", "error:", "nonsense", "still here"):
        assert words in said.out


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (80, ["status"]),
        (80, ["history", "deal", "us", "5"]),
        (80, ["sql", "SELECT * FROM public_deal_history LIMIT 2"]),
        (100, ["verify"]),
        (100, ["sql", "SELECT * FROM public_deal_versions LIMIT 2"]),
    ],
)
def test_at_a_terminal_no_line_is_too_long_and_no_value_is_cut(
    columns: int, words: list[str], site: Site
) -> None:
    said = at_terminal(site, words, "", columns)
    assert said.code == 0, said.out
    assert max(map(len, said.out.splitlines())) <= columns
    assert "…" not in said.out


def test_without_a_terminal_a_row_is_a_line_and_nothing_is_coloured(site: Site) -> None:
    rows = ask(site, "sql", "SELECT * FROM public_deal_history LIMIT 3")
    assert len(rows.out.splitlines()) == 1 + 3
    for words in (["status"], ["verify"], ["history", "lead", "1"]):
        said = ask(site, *words)
        assert "\x1b" not in said.out + said.err
        assert "…" not in said.out


def test_a_reader_that_leaves_early_ends_the_command_without_a_word(site: Site) -> None:
    for words in (
        ["sql", "SELECT * FROM range(100000)"],
        ["sql", "SELECT * FROM range(100000)", "--json"],
        ["status", "--json"],
    ):
        command = subprocess.Popen(
            [*STENO, *words, "-p", str(site.file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=site.folder,
        )
        assert command.stdout is not None
        assert command.stderr is not None
        with command.stdout, command.stderr:
            command.stdout.close()
            assert command.stderr.read() == b""
        assert command.wait(30) == Exit.STOPPED


def test_with_its_standard_streams_closed_a_command_ends_as_with_them(site: Site) -> None:
    for words in ("status", "status --json", "check"):
        command = f'exec "$@" {words} -p {site.file} <&- >&- 2>&-'
        assert (
            subprocess.run(["sh", "-c", command, "sh", *STENO], cwd=site.folder, check=False).returncode == 0
        )


def test_ctrl_c_ends_a_question(site: Site, tmp_path: Path) -> None:
    waiting = Site.make(tmp_path / "other", (site.folder / "dsn").read_text())
    command = subprocess.Popen(
        [*STENO, "verify", "-p", str(waiting.file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=waiting.folder,
    )
    assert command.stderr is not None
    with command.stderr:
        until(lambda: _connects(command.pid), "verify has asked the source")
        command.send_signal(signal.SIGINT)
        assert b"Traceback" not in command.stderr.read()
    assert command.wait(30) == Exit.INTERRUPTED


def _connects(pid: int) -> bool:
    links = Path(f"/proc/{pid}/fd")
    return any("socket:" in _target(link) for link in links.iterdir())


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["status", "--nonsense"], Exit.CONFIGURATION),
        (["history"], Exit.CONFIGURATION),
        (["history", "nothing", "1"], Exit.CONFIGURATION),
        (["verify", "--patience", "long"], Exit.CONFIGURATION),
        (["sql", "SELEC"], Exit.STOPPED),
        (["capture"], Exit.CONFIGURATION),
        (["nonsense"], Exit.CONFIGURATION),
    ],
)
def test_an_error_in_json_is_one_document_with_the_next_step(
    words: list[str], code: Exit, site: Site
) -> None:
    said = ask(site, *words, "--json")
    assert said.code == code
    assert said.json["ok"] is False
    assert set(said.json["error"]) == {"class", "summary", "hint", "facts"}
    assert said.json["error"]["summary"]
    assert said.json["error"]["hint"]


def test_an_error_that_nobody_foresaw_is_a_bug_in_json_too(site: Site, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import stenograph.assembly as a\n\ndef status(_):\n    raise KeyError('a value')\n\na.status = status\n"
    )
    done = subprocess.run(
        [*STENO, "status", "--json", "-p", str(site.file)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Exit.BUG
    assert "Traceback" in done.stderr
    assert json.loads(done.stdout)["error"]["class"] == "KeyError"
    assert "a value" not in done.stdout


def test_no_file_of_the_pipeline_but_the_secret_s_own_holds_the_password(site: Site) -> None:
    """Neither log nor history nor the loops' states tell it."""
    password = password_of(site).encode()
    holders = [file for file in site.folder.rglob("*") if file.is_file() and password in file.read_bytes()]
    assert holders == [site.folder / "dsn"]
    assert state_file(site, "log.db").exists()
