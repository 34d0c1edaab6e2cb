"""What an operator sees when a file or a disk of the pipeline is not as it should be, and how it goes on after."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from stenograph.cli.exits import Exit
from tests.crash.commands import steno
from tests.crash.site import Site, until
from tests.fix_disk import fill
from tests.fix_postgres import Database
from tests.fix_shop import ends, filled, goes_on, proved, rewrite, site
from tests.operating import ask, last_error, log_lines, moved, state_file, until_error

__all__ = ["filled", "site"]


# The history file.


def test_a_history_held_by_another_process_is_waited_for_and_its_holder_named(
    filled: Site, database: Database
) -> None:
    history = state_file(filled, "history.duckdb")
    program = (
        "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(history)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        database.execute("UPDATE lead SET name = 'held'")
        with steno(filled, "capture"), steno(filled, "sink"):
            until_error(filled, "sink", f"The history file is held by another process (pid {holder.pid}).")
            holder.communicate()
            filled.until_captured()
            proved(filled)
            until(lambda: last_error(filled, "sink") == "", "the sink no longer waits")


@pytest.mark.parametrize(
    ("other", "summary"),
    [
        (b"an invoice of 2024, in a format of its own", "The file is not a DuckDB database."),
        (None, "The DuckDB file belongs to something else"),
    ],
)
def test_another_product_s_history_file_is_refused_and_left_as_it_is(
    other: bytes | None, summary: str, filled: Site, database: Database
) -> None:
    history = state_file(filled, "history.duckdb")
    history.rename(history.with_name("kept"))
    if other is None:
        program = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('CREATE TABLE theirs (i int)')"
        subprocess.run([sys.executable, "-c", program, str(history)], check=True)
    else:
        history.write_bytes(other)
    before = history.read_bytes()
    code, _ = ends(filled, "sink")
    last = log_lines(filled, "sink")[-1]
    assert code == Exit.STOPPED
    assert summary in last["summary"]
    assert last["hint"]
    said = ask(filled, "status", "--json")
    assert said.code == Exit.STOPPED
    assert summary in said.json["unread"][0]
    assert [(t["in_log"] > 0, t["stored_up_to"], t["waiting"]) for t in said.json["tables"]] == [
        (True, None, None)
    ] * 2
    for words in (["sql", "SELECT 1"], ["history", "lead", "1"], ["verify"]):
        assert ask(filled, *words).code == Exit.STOPPED
    assert history.read_bytes() == before
    history.with_name("kept").rename(history)
    goes_on(filled, database)


def test_a_removed_history_is_built_again_from_the_log(filled: Site, database: Database) -> None:
    rows = filled.query("SELECT count(*) FROM public_lead_history")
    for file in state_file(filled, ".").glob("history.duckdb*"):
        file.unlink()
    goes_on(filled, database)
    assert filled.query("SELECT count(*) - 1 FROM public_lead_history") == rows


def test_a_history_removed_under_the_sink_ends_it_and_the_next_one_builds_it_again(
    filled: Site, database: Database
) -> None:
    with steno(filled, "capture"):
        with steno(filled, "sink") as sink:
            database.execute("UPDATE lead SET name = 'three'")
            filled.until_captured()
            proved(filled)
            state_file(filled, "history.duckdb").unlink()
            database.execute("UPDATE lead SET name = 'four'")
            assert sink.wait(30) == Exit.STOPPED
        assert "Start the sink again" in log_lines(filled, "sink")[-1]["hint"]
        with steno(filled, "sink"):
            proved(filled)


def test_a_full_disk_under_history_is_waited_for_and_loses_nothing(
    site: Site, database: Database, small_disk: Path
) -> None:
    history = small_disk / "history.duckdb"
    rewrite(site, "tables:", f"warehouse:\n  kind: duckdb\n  path: {history}\ntables:")
    with steno(site, "capture"), steno(site, "sink") as sink:
        site.until_read()
        until(history.exists, "history has begun")
        ballast = fill(small_disk)
        database.execute(
            "INSERT INTO lead SELECT n, repeat(md5(n::text), 40) FROM generate_series(2, 20000) n"
        )
        until_error(site, "sink", "There is no room for the history file.")
        ballast.unlink()
        site.until_captured()
        proved(site, 60)
        assert sink.poll() is None
    assert site.query("SELECT count(*) FROM public_lead_current") == [(20000,)]


def test_a_history_on_a_read_only_disk_is_refused_until_it_can_be_written(
    filled: Site, database: Database, small_disk: Path
) -> None:
    history = state_file(filled, "history.duckdb")
    shutil.move(history, small_disk / history.name)
    rewrite(filled, "tables:", f"warehouse:\n  kind: duckdb\n  path: {small_disk / history.name}\ntables:")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert ends(filled, "sink")[0] == Exit.STOPPED
    assert "right to write" in log_lines(filled, "sink")[-1]["hint"]
    assert ask(filled, "status").code == 0
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    goes_on(filled, database)


# The log and its registry.


@pytest.mark.parametrize("other", [b"SQLite format 3", b"a spreadsheet, not a log"])
def test_another_product_s_log_file_is_refused_and_left_as_it_is(other: bytes, site: Site) -> None:
    log = state_file(site, "log.db")
    log.parent.mkdir(parents=True)
    if other.startswith(b"SQLite"):
        with closing(sqlite3.connect(log)) as connection:
            connection.execute("CREATE TABLE theirs (i int)")
    else:
        log.write_bytes(other)
    before = log.read_bytes()
    for command in ("capture", "sink"):
        assert ends(site, command)[0] == Exit.STOPPED
        text = (site.folder / f"{command}.out").read_text()
        assert "The file is not a change log" in text
        assert "Set `log.path` to another file" in text
    said = ask(site, "status", "--json")
    assert said.code == Exit.STOPPED
    assert "The file is not a change log" in said.json["unread"][0]
    assert ask(site, "verify", "--json").json["error"]["class"] == "LogRefused"
    assert log.read_bytes() == before
    assert [file.name for file in log.parent.iterdir() if file.name != "run"] == ["log.db"]


def test_a_log_removed_while_it_is_open_ends_both_loops_and_a_new_run_goes_on(
    filled: Site, database: Database
) -> None:
    with steno(filled, "capture") as capture, steno(filled, "sink") as sink:
        database.execute("UPDATE lead SET name = 'logged'")
        until(lambda: moved(filled, "capture", capture.pid) and moved(filled, "sink", sink.pid), "both work")
        # The log itself goes first: without it, what SQLite keeps beside it is never looked at.
        for file in sorted(state_file(filled, ".").glob("log.db*")):
            file.unlink()
        database.execute("UPDATE lead SET name = 'unlogged'")
        assert (capture.wait(30), sink.wait(30)) == (Exit.STOPPED, Exit.STOPPED)
    for loop in ("capture", "sink"):
        last = log_lines(filled, loop)[-1]
        assert last["summary"] == "The log's file was removed or replaced while it was open."
        assert last["hint"] == "Start the command again to open the file that is there now."
    code, _ = ends(filled, "capture")
    assert code == Exit.STOPPED
    assert "`steno capture --anew` replaces it" in log_lines(filled, "capture")[-1]["hint"]
    with steno(filled, "capture", "--anew"), steno(filled, "sink"):
        filled.until_read()
        database.execute("UPDATE lead SET name = 'logged again'")
        filled.until_captured()
        proved(filled)


def test_a_full_disk_under_the_log_is_waited_for_and_loses_nothing(
    database: Database, site: Site, small_disk: Path
) -> None:
    rewrite(site, "tables:", f"log:\n  kind: embedded\n  path: {small_disk / 'log.db'}\ntables:")
    with steno(site, "capture") as capture, steno(site, "sink") as sink:
        site.until_read()
        ballast = fill(small_disk)
        database.execute(
            "INSERT INTO lead SELECT n, repeat(md5(n::text), 40) FROM generate_series(2, 5000) n"
        )
        until_error(site, "capture", "There is no room left under the log; nothing was appended.")
        (said,) = [loop for loop in ask(site, "status", "--json").json["loops"] if loop["loop"] == "capture"]
        assert "Free some space there" in said["error"]
        ballast.unlink()
        site.until_captured()
        proved(site)
        assert (capture.poll(), sink.poll()) == (None, None)
    assert site.query("SELECT count(*) FROM public_lead_current") == [(5000,)]


def test_a_damaged_schema_stops_the_sink_until_it_is_restored(filled: Site, database: Database) -> None:
    for file in state_file(filled, ".").glob("history.duckdb*"):
        file.unlink()
    kept = {file: file.read_bytes() for file in (state_file(filled, "registry") / "ids").iterdir()}
    for file in kept:
        file.write_bytes(b"{")
    assert ends(filled, "sink")[0] == Exit.CONFIGURATION
    last = log_lines(filled, "sink")[-1]
    assert "A file of the schema registry is damaged" in last["summary"]
    assert Path(last["fact_path"]) in kept
    for file, content in kept.items():
        file.write_bytes(content)
    goes_on(filled, database)


def test_a_lost_registry_is_refused_before_any_record_is_set_aside_or_id_given_anew(
    filled: Site, database: Database
) -> None:
    registry = state_file(filled, "registry")
    registry.rename(registry.with_name("kept"))
    database.execute("UPDATE lead SET name = 'unread'")
    for command in ("capture", "sink"):
        code, _ = ends(filled, command)
        assert code == Exit.CONFIGURATION
        assert "The schema registry's folder is gone" in (filled.folder / f"{command}.out").read_text()
    said = ask(filled, "verify", "--json")
    assert (said.code, said.json["error"]["facts"]["path"]) == (Exit.CONFIGURATION, str(registry))
    assert not registry.exists()
    registry.with_name("kept").rename(registry)
    goes_on(filled, database)
    assert filled.query("SELECT count(*) FROM _steno_quarantine") == [(0,)]
