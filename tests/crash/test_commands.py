"""`steno capture`, `sink` and `run` as processes: asked to end, stopped, killed, and watched over."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.crash.commands import lives, pid_of, said, steno, until_runs
from tests.crash.journal import Journal, tell
from tests.crash.site import Site, until

DRAIN_SECONDS = 10
"""Promised by the commands: SIGTERM ends them within this time."""


@contextmanager
def _writing(journal: Journal) -> Iterator[None]:
    enough = threading.Event()

    def write() -> None:
        number = 10_000
        while not enough.is_set():
            with journal.transaction() as change:
                for _ in range(20):
                    change.insert("lead", number)
                    number += 1
            enough.wait(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        enough.set()
        writer.join(30)


def _ends_well(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(DRAIN_SECONDS) == 0


def test_sigterm_ends_busy_loops_in_time_and_nothing_is_lost(site: Site, journal: Journal) -> None:
    with site.running("capture"):
        site.until_read()
    with _writing(journal), steno(site, "capture") as capture, steno(site, "sink") as sink:
        until(lambda: len(site.streamed_if_any("lead")) > 100, "both are at work")
        _ends_well(sink)
        _ends_well(capture)
    site.prove()
    assert site.streamed() == journal.lives


@pytest.mark.usefixtures("journal")
def test_sigterm_ends_idle_loops_in_time(site: Site) -> None:
    with steno(site, "capture") as capture, steno(site, "sink") as sink:
        site.assert_proved()
        _ends_well(capture)
        _ends_well(sink)


def test_a_stopped_sink_keeps_its_lock_and_goes_on_when_it_is_continued(site: Site, journal: Journal) -> None:
    with steno(site, "capture"), steno(site, "sink") as sink:
        site.assert_proved()
        sink.send_signal(signal.SIGSTOP)
        try:
            tell(journal)
            with steno(site, "sink") as rival:
                assert rival.wait(30) == 1
            assert f"Stop process {sink.pid} first" in said(site, "sink")
        finally:
            sink.send_signal(signal.SIGCONT)
        site.assert_proved()
        assert sink.poll() is None
    assert site.streamed() == journal.lives


def test_a_second_capture_is_refused_while_the_first_goes_on(site: Site, journal: Journal) -> None:
    with steno(site, "capture") as capture:
        site.until_read()
        with steno(site, "capture") as rival:
            assert rival.wait(30) == 1
        assert f"Stop process {capture.pid} first" in said(site, "capture")
        tell(journal)
        site.until_captured()


def test_run_starts_a_killed_child_again(site: Site, journal: Journal) -> None:
    with steno(site, "run") as parent:
        site.until_read()
        for loop in ("capture", "sink"):
            pid = until_runs(site, loop)
            os.kill(pid, signal.SIGKILL)
            until_runs(site, loop, other_than=pid)
        tell(journal)
        site.assert_proved()
        children = [until_runs(site, loop) for loop in ("capture", "sink")]
        _ends_well(parent)
        assert not any(map(lives, children))
    assert site.streamed() == journal.lives


def test_killing_run_leaves_no_child_behind(site: Site, journal: Journal) -> None:
    with steno(site, "run") as parent:
        children = [until_runs(site, loop) for loop in ("capture", "sink")]
        site.until_read()
        parent.kill()
        assert parent.wait(30) == -signal.SIGKILL
        until(lambda: not any(map(lives, children)), "both children have ended", DRAIN_SECONDS)
    assert [pid_of(site, loop) for loop in ("capture", "sink")] == [None, None]
    tell(journal)
    site.prove()
    assert site.streamed() == journal.lives


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("loop", ["capture", "sink"])
def test_run_ends_both_when_one_ends_with_an_error(loop: str, site: Site) -> None:
    """A loop that somebody else runs already is such an error."""
    with steno(site, loop):
        held = until_runs(site, loop)
        with steno(site, "run") as parent:
            assert parent.wait(30) == 1
        assert f"Stop process {held} first" in said(site, "run")
