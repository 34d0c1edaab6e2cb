"""The capture loop: what it keeps, what it gives up, and when the source may forget."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stenograph.capture import Capture, loop
from stenograph.errors import LogRefused, LogUnavailable, SourceUnavailable, StenographError
from stenograph.events import Op
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from stenograph.offsets import Position
from stenograph.ports import Source
from tests.change_samples import LEAD, SOURCE, change, lead, plan_of
from tests.faults import Fault, Faulty, all_reached, fail_before, lose_answer
from tests.log_samples import poll_until, seek_all
from tests.scripted_source import Script
from tests.small_pipeline import NO_WAIT, SmallPipeline

NO_ROOM = LogUnavailable("The disk is full.", hint="Make room.")
AWAY = SourceUnavailable("The server does not answer.", hint="Start it.")


class World:
    """A log, a script of five transactions, and every source that was opened on it."""

    def __init__(self, folder: Path) -> None:
        self.pipeline = SmallPipeline(folder, [plan_of(LEAD)], partitions=1)
        self.script = Script(
            self.pipeline.registry(), [LEAD], [[change(Op.CREATE, lead(n), n)] for n in range(1, 6)]
        )
        self.log = Faulty(self.pipeline.writer())
        self.source: Faulty[Source | None] = Faulty(None)
        self.opened_at: list[Position | None] = []

    def capture(self, limit: int = 2) -> Capture:
        return Capture(SOURCE, self.open_source, self.log.port, limit)

    def open_source(self, stored: Position | None) -> Source:
        self.opened_at.append(stored)
        source = self.source.around(self.script.open(stored))
        assert source is not None
        return source

    def records(self) -> int:
        with closing(self.pipeline.reader()) as reader:
            seek_all(reader)
            return sum(map(len, reader.poll(1000, NO_WAIT)))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.log.inner.close()


def failing(port: Faulty[Any], *faults: Fault) -> None:
    port.faults = faults


def until_idle(capture: Capture) -> None:
    while capture.step(NO_WAIT):
        pass


def test_everything_that_was_committed_is_appended(world: World) -> None:
    with closing(world.capture()) as capture:
        until_idle(capture)

    assert world.records() == 5
    assert world.script.kept_from == 5


def test_a_batch_that_the_log_did_not_take_is_sent_again_from_the_same_source(world: World) -> None:
    failing(world.log, fail_before("append", NO_ROOM))
    capture = world.capture()

    with all_reached(world.log), pytest.raises(LogUnavailable):
        capture.step(NO_WAIT)
    capture.reset(NO_ROOM)
    until_idle(capture)

    assert world.records() == 5
    assert len(world.opened_at) == 1


def test_the_source_forgets_nothing_that_the_log_does_not_hold(world: World) -> None:
    """Kills Invariant 1."""
    failing(world.log, fail_before("append", NO_ROOM, nth=2))
    capture = world.capture()
    capture.step(NO_WAIT)

    with all_reached(world.log), pytest.raises(LogUnavailable):
        capture.step(NO_WAIT)

    assert world.script.kept_from == 2
    assert world.source.calls["acknowledge"] == 1


def test_an_append_whose_answer_was_lost_is_made_again(world: World) -> None:
    failing(world.log, lose_answer("append", NO_ROOM))
    capture = world.capture()

    with all_reached(world.log), pytest.raises(LogUnavailable):
        capture.step(NO_WAIT)
    capture.reset(NO_ROOM)
    until_idle(capture)

    # The two that came twice have the same lane and order: the sink drops them.
    assert world.records() == 7


@pytest.mark.parametrize("method", ["poll", "acknowledge"])
def test_a_source_that_failed_is_given_up_and_opened_at_the_stored_position(
    world: World, method: str
) -> None:
    failing(world.source, fail_before(method, AWAY, nth=2))
    capture = world.capture()
    capture.step(NO_WAIT)

    with all_reached(world.source), pytest.raises(SourceUnavailable):
        capture.step(NO_WAIT)
    capture.reset(AWAY)
    until_idle(capture)

    assert world.source.calls["close"] == 1
    assert len(world.opened_at) == 2
    assert world.opened_at[1] is not None
    assert world.records() == 5


def test_a_source_that_cannot_even_be_closed_is_given_up(world: World) -> None:
    failing(world.source, fail_before("poll", AWAY), fail_before("close", AWAY))
    capture = world.capture()

    with pytest.raises(SourceUnavailable):
        capture.step(NO_WAIT)
    capture.reset(AWAY)
    until_idle(capture)

    assert world.records() == 5


def test_the_position_moves_only_at_a_commit(world: World) -> None:
    world.script.transactions[:] = [[change(Op.CREATE, lead(n), 1, place=n) for n in range(1, 6)]]
    capture = world.capture(limit=2)

    capture.step(NO_WAIT)
    assert (world.records(), world.log.inner.position(SOURCE), world.script.kept_from) == (2, None, 0)

    until_idle(capture)
    assert (world.records(), world.script.kept_from) == (5, 1)


def test_an_empty_transaction_moves_the_position_alone(world: World) -> None:
    world.script.transactions[:] = [[]]

    assert world.capture().step(NO_WAIT) == 0

    stored = world.log.inner.position(SOURCE)
    assert stored is not None
    assert stored.resume == b"1"


def test_one_stream_cannot_leave_out_a_table(world: World) -> None:
    error = LogRefused("No.", hint="None.")

    with pytest.raises(StenographError) as raised:
        world.capture().pause(error)

    assert raised.value is error


def test_keeping_alive_reaches_the_open_source_and_acknowledges_nothing(world: World) -> None:
    capture = world.capture()
    capture.keep_alive()
    capture.step(NO_WAIT)
    capture.keep_alive()

    assert world.source.calls["keep_alive"] == 1
    assert world.source.calls["acknowledge"] == 1


def test_a_new_process_reads_on_where_the_log_says(world: World) -> None:
    world.capture().step(NO_WAIT)

    with closing(EmbeddedLogWriter(world.pipeline.folder / "log.db", world.pipeline.log_settings)) as writer:
        until_idle(Capture(SOURCE, world.open_source, writer, 2))

    assert world.records() == 5
    with closing(world.pipeline.reader()) as reader:
        seek_all(reader)
        assert len(poll_until(reader, 5)) == 1


def test_in_the_middle_of_a_transaction_the_source_hears_of_us_though_nothing_is_acknowledged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_TELL_SECONDS", 0)
    world.script.transactions[:] = [[change(Op.CREATE, lead(n), n) for n in range(1, 4)]]
    capture = world.capture(limit=1)
    capture.step(NO_WAIT)
    capture.step(NO_WAIT)
    assert (world.source.calls["keep_alive"], world.source.calls["acknowledge"]) == (2, 0)
    capture.step(NO_WAIT)
    assert (world.source.calls["keep_alive"], world.source.calls["acknowledge"]) == (2, 1)
    capture.close()


def test_while_commits_are_acknowledged_the_source_is_told_nothing_else(world: World) -> None:
    capture = world.capture()
    until_idle(capture)
    assert world.source.calls["acknowledge"] > 0
    assert world.source.calls["keep_alive"] == 0
    capture.close()
