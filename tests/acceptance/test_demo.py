"""`steno demo` as a newcomer runs it, in a folder that holds only the pipeline and the models."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from stenograph.sources.postgres.server import is_running, stop

PROJECT = Path(__file__).resolve().parents[2]
NO_RECOVERY = Path(__file__).parent / "hooks" / "no_recovery"
STENO = [sys.executable, "-m", "stenograph.cli"]
MINUTES = 5 * 60
KILLED = re.compile(r"(capture|sink), process (\d+), is killed: SIGKILL, exit code -9")
MISSED = re.compile(r"(capture|sink) starts again as process (\d+); it has missed ([\d,]+) changes")

pytestmark = pytest.mark.timeout(MINUTES)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    for name in ("pipelines", "schemas"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    yield tmp_path
    if (tmp_path / ".steno").exists():
        stop(tmp_path / ".steno" / "demo" / "postgres")


def test_the_demo_survives_its_kills_and_leaves_a_proved_history(folder: Path) -> None:
    demo = _steno(folder, "demo")
    assert demo.returncode == 0, demo.stdout + demo.stderr

    killed = KILLED.findall(demo.stdout)
    assert [name for name, _ in killed].count("capture") >= 2
    assert [name for name, _ in killed].count("sink") >= 2
    missed = MISSED.findall(demo.stdout)
    assert [name for name, _, _ in missed] == [name for name, _ in killed]
    assert all(int(count.replace(",", "")) > 0 for _, _, count in missed)
    pids = {int(pid) for _, pid in killed} | {int(pid) for _, pid, _ in missed}
    assert len(pids) == len(killed) + 2, "every start is a process of its own"
    _assert_nothing_runs(folder)

    verify = _steno(folder, "verify", "-p", "demo", "--json")
    assert verify.returncode == 0, verify.stdout + verify.stderr
    assert json.loads(verify.stdout)["ok"] is True
    history = _steno(folder, "history", "lead", "42", "-p", "demo", "--json")
    entries = json.loads(history.stdout)["entries"]
    assert [entry["op"] for entry in entries] == ["create", "update", "update", "update", "update"]
    statuses = [c["new"] for entry in entries for c in entry["changes"] if c["column"] == "status"]
    assert statuses == ["new", "contacted", "qualified", "won"]
    _assert_nothing_runs(folder)


def test_without_recovery_the_demo_fails_and_says_what_is_missing(folder: Path) -> None:
    demo = _steno(folder, "demo", PYTHONPATH=str(NO_RECOVERY))
    assert demo.returncode == 1, demo.stdout + demo.stderr
    assert "The CRM's own journal and history do not agree" in demo.stdout
    assert "steno verify: differs" in demo.stdout
    assert "The demo failed" in demo.stdout
    _assert_nothing_runs(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process(folder: Path, number: signal.Signals) -> None:
    demo = subprocess.Popen([*STENO, "demo"], cwd=folder, stdout=subprocess.PIPE, text=True)
    journal = folder / ".steno" / "demo" / "journal.jsonl"
    _wait(lambda: journal.exists() and b"committed" in journal.read_bytes())
    demo.send_signal(number)
    out, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, out
    _assert_nothing_runs(folder)


def test_a_demo_that_is_killed_takes_its_processes_with_it(folder: Path) -> None:
    demo = subprocess.Popen([*STENO, "demo"], cwd=folder, stdout=subprocess.DEVNULL)
    journal = folder / ".steno" / "demo" / "journal.jsonl"
    _wait(lambda: journal.exists() and b"committed" in journal.read_bytes())
    demo.kill()
    assert demo.wait() == -signal.SIGKILL
    _wait(lambda: not _running(folder))


def test_a_pipeline_with_another_postgres_is_refused(folder: Path) -> None:
    file = folder / "pipelines" / "demo.yaml"
    file.write_text(file.read_text().replace("embedded:.steno/demo/postgres", "embedded:elsewhere"))
    demo = _steno(folder, "demo")
    assert demo.returncode == 2
    assert "embedded:.steno/demo/postgres" in demo.stderr


def _steno(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings: Mapping[str, str] = {**os.environ, **environment}
    return subprocess.run(
        [*STENO, *arguments],
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
        timeout=MINUTES,
        check=False,
    )


def _running(folder: Path) -> list[str]:
    """Processes that name the folder or work in it, and Postgres."""
    found = ["Postgres"] if is_running(folder / ".steno" / "demo" / "postgres") else []
    for process in psutil.process_iter():
        try:
            told = " ".join(process.cmdline())
            if str(folder) in told or process.cwd() == str(folder):
                found.append(f"{process.pid} {told}")
        except psutil.Error:
            # It has ended, or it is not ours to look at.
            continue
    return found


def _assert_nothing_runs(folder: Path) -> None:
    assert _running(folder) == []


def _wait(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.05)
