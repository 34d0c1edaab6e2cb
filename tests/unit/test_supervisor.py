"""The supervisor: retry, pause, stop, and the run file that keeps a second process away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from stenograph.errors import (
    LaneRegressed,
    LogUnavailable,
    PipelineBusy,
    SourceRefused,
    SourceUnavailable,
    StenographError,
    ValueOutOfRange,
)
from stenograph.supervisor import Backoff, RunFile, Stop, held_by, read_state, supervise

QUICK = timedelta(milliseconds=1)
AWAY = LogUnavailable("Not now.", hint="Wait.")
Step = int | Exception


class Steps:
    """A loop that gives these results, one a step, and then asks to stop."""

    name = "steps"

    def __init__(self, stop: Stop, results: Sequence[Step], beats: Sequence[Exception] = ()) -> None:
        self._stop = stop
        self._results = list(results)
        self._beats = list(beats)
        self.did: list[str] = []

    def step(self, wait: timedelta) -> int:
        result = self._results.pop(0)
        if not self._results:
            self._stop.request()
        self.did.append("step")
        if isinstance(result, Exception):
            raise result
        return result

    def keep_alive(self) -> None:
        if self._beats:
            raise self._beats.pop(0)

    def reset(self, error: StenographError) -> None:
        self.did.append(f"reset after {type(error).__name__}")

    def pause(self, error: StenographError) -> None:
        self.did.append(f"pause for {type(error).__name__}")

    def drain(self) -> None:
        self.did.append("drain")


class Notes:
    """An observer that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.attempts: list[int] = []

    def moved(self, records: int) -> None:
        self.told.append(("moved", records))

    def retrying(self, error: StenographError, attempt: int, pause: timedelta) -> None:
        self.told.append(("retrying", error))
        self.attempts.append(attempt)

    def paused(self, error: StenographError) -> None:
        self.told.append(("paused", error))


def run(results: Sequence[Step], beats: Sequence[Exception] = ()) -> tuple[Steps, Notes]:
    stop, notes = Stop(), Notes()
    loop = Steps(stop, results, beats)
    supervise(loop, stop, notes, Backoff(QUICK, QUICK))
    return loop, notes


def test_steps_follow_each_other_until_the_end_is_asked_for_and_then_it_drains() -> None:
    loop, notes = run([3, 0, 2])

    assert loop.did == ["step", "step", "step", "drain"]
    assert notes.told == [("moved", 3), ("moved", 0), ("moved", 2)]


def test_an_error_that_is_retried_resets_the_loop_and_steps_again() -> None:
    loop, notes = run([1, AWAY, AWAY, 1, AWAY, 1])

    reset = "reset after LogUnavailable"
    assert loop.did == ["step", "step", reset, "step", reset, "step", "step", reset, "step", "drain"]
    assert notes.attempts == [1, 2, 1]


def test_a_table_that_must_wait_is_left_out_and_the_loop_goes_on() -> None:
    regressed = LaneRegressed("Back.", hint="None.", topic="crm.public.lead")
    loop, notes = run([regressed, 1])

    assert loop.did == ["step", "pause for LaneRegressed", "step", "drain"]
    assert notes.told == [("paused", regressed), ("moved", 1)]


@pytest.mark.parametrize(
    "error",
    [SourceRefused("No.", hint="None."), ValueOutOfRange("Too large.", hint="None."), RuntimeError("a bug")],
)
def test_every_other_error_ends_the_loop_without_a_drain(error: Exception) -> None:
    stop = Stop()
    loop = Steps(stop, [1, error, 1])

    with pytest.raises(type(error)) as raised:
        supervise(loop, stop, Notes(), Backoff(QUICK, QUICK))

    assert raised.value is error
    assert loop.did == ["step", "step"]


def test_a_source_that_fails_while_the_loop_waits_is_reset_too() -> None:
    loop, _ = run([AWAY, 1], [SourceUnavailable("Gone.", hint="None.")])

    assert loop.did[:3] == ["step", "reset after LogUnavailable", "reset after SourceUnavailable"]


def test_a_wait_ends_when_the_end_is_asked_for() -> None:
    stop, notes = Stop(), Notes()
    loop = Steps(stop, [AWAY])

    supervise(loop, stop, notes, Backoff(timedelta(hours=1), timedelta(hours=1)))

    assert loop.did == ["step", "reset after LogUnavailable", "drain"]


def test_pauses_grow_within_their_bounds_and_begin_anew_after_a_success() -> None:
    first, longest = timedelta(seconds=1), timedelta(seconds=10)
    backoff = Backoff(first, longest)

    pauses = [backoff.next() for _ in range(60)]

    for pause, bound in zip(pauses, [1, 2, 4, 8, *[10] * 56], strict=True):
        assert timedelta(seconds=bound) / 2 <= pause <= timedelta(seconds=bound)
    backoff.clear()
    assert backoff.next() <= first


CHILD = """
import sys, time
from datetime import timedelta
from stenograph.supervisor import Stop, supervise

class Loop:
    name = "child"
    def step(self, wait):
        print("step", flush=True)
        time.sleep(0.05)
        return 1
    def keep_alive(self): pass
    def reset(self, error): pass
    def pause(self, error): pass
    def drain(self): print("drained", flush=True)

class Silent:
    def moved(self, records): pass

stop = Stop()
stop.on_signals()
supervise(Loop(), stop, Silent())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_step_end_and_drains(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "step\n"
        child.send_signal(number)
        rest, _ = child.communicate(timeout=30)

    assert child.returncode == 0
    assert rest.endswith("drained\n")


def test_a_second_signal_ends_the_process_at_once() -> None:
    stubborn = CHILD.replace("time.sleep(0.05)", "time.sleep(0.01)").replace(
        'print("drained", flush=True)', 'print("draining", flush=True); time.sleep(600)'
    )
    with subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        while child.stdout.readline() != "draining\n":
            pass
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=30) == -signal.SIGTERM


HOLDER = """
import sys, time
from pathlib import Path
from stenograph.supervisor import RunFile
held = RunFile(Path(sys.argv[1]), "sink")
print("held", flush=True)
time.sleep(600)
"""


def test_a_second_process_is_refused_with_the_pid_of_the_first_until_that_is_dead(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"

        with pytest.raises(PipelineBusy) as refusal:
            RunFile(tmp_path, "sink")
        assert refusal.value.facts["pid"] == str(child.pid)
        assert str(child.pid) in refusal.value.hint
        assert held_by(tmp_path, "sink") == child.pid

        child.kill()
        child.wait(timeout=30)

    assert held_by(tmp_path, "sink") is None
    file = RunFile(tmp_path, "sink")
    assert held_by(tmp_path, "sink") == os.getpid()
    file.close()
    assert held_by(tmp_path, "sink") is None


def test_capture_and_sink_do_not_stand_in_each_others_way(tmp_path: Path) -> None:
    capture, sink = RunFile(tmp_path, "capture"), RunFile(tmp_path, "sink")
    capture.close()
    sink.close()


def test_the_run_file_says_how_the_loop_fares(tmp_path: Path) -> None:
    began = time.time()
    file = RunFile(tmp_path, "sink")
    file.moved(5)
    file.retrying(AWAY, 1, QUICK)

    state = read_state(tmp_path, "sink")
    assert state is not None
    assert (state.pid, state.records, state.retries) == (os.getpid(), 5, 1)
    assert state.error == "Not now. Wait."
    assert state.moved_at is not None
    assert began <= state.started_at <= state.moved_at <= state.beat_at

    file.moved(0)
    file.paused(LaneRegressed("Back.", hint="Look.", topic="crm.public.lead"))
    file.close()

    state = read_state(tmp_path, "sink")
    assert state is not None
    assert state.error is None
    assert state.paused == {"crm.public.lead": "Back. [topic=crm.public.lead] Look."}


def test_a_loop_with_nothing_to_do_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    file = RunFile(tmp_path, "sink")
    for _ in range(3):
        now += 10
        file.moved(0)
    state = read_state(tmp_path, "sink")
    assert state is not None
    assert state.beat_at == 1000

    now += 0.5
    file.moved(3)
    now += 10
    file.moved(4)
    file.moved(5)
    now += 10
    file.moved(0)
    state = read_state(tmp_path, "sink")
    file.close()
    assert state is not None
    assert (state.records, state.moved_at, state.beat_at) == (12, 1040.5, 1050.5)


def test_a_loop_that_never_ran_has_no_state(tmp_path: Path) -> None:
    assert read_state(tmp_path, "sink") is None
    assert held_by(tmp_path, "sink") is None


def test_a_run_file_cut_short_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "sink.json").write_text('{"loop": "si')

    assert read_state(tmp_path, "sink") is None
