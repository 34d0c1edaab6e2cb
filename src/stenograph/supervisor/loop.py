"""Repeats a loop's step until it is asked to end, and does what an error's class says.

The only place that reads an error's action, and the only one that waits.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol, assert_never

from stenograph.errors import Action, StenographError
from stenograph.supervisor.backoff import Backoff
from stenograph.supervisor.stop import Stop

IDLE_WAIT = timedelta(milliseconds=250)
"""How long one step may wait for work: the bound on how late a signal is seen."""
_HEARTBEAT = timedelta(seconds=1)


class Loop(Protocol):
    """A unit of work that is repeated: capture or sink."""

    @property
    def name(self) -> str:
        """The loop's name, for people."""
        ...

    def step(self, wait: timedelta) -> int:
        """Do a bounded piece of work, waiting at most `wait` for it to appear; how many records it moved."""
        ...

    def keep_alive(self) -> None:
        """Called about once a second while the supervisor waits before a retry."""
        ...

    def reset(self, error: StenographError) -> None:
        """Make ready for the next step after an error that is retried."""
        ...

    def pause(self, error: StenographError) -> None:
        """Leave out the table that the error names; raise the error if that is impossible."""
        ...

    def drain(self) -> None:
        """Confirm what is done, within seconds: the loop ends."""
        ...


class Observer(Protocol):
    """Who wants to know how a loop fares: the log lines, the run file, a display."""

    def moved(self, records: int) -> None:
        """A step went well; `records` may be 0."""
        ...

    def retrying(self, error: StenographError, attempt: int, pause: timedelta) -> None:
        """A step failed and comes again after `pause`."""
        ...

    def paused(self, error: StenographError) -> None:
        """One table was left out."""
        ...


def supervise(loop: Loop, stop: Stop, observer: Observer, backoff: Backoff | None = None) -> None:
    """Repeat the step until `stop`; return after the drain. Errors that stop the loop are raised.

    Anything that is not a StenographError is a bug and is raised with its traceback.
    """
    backoff = backoff or Backoff()
    while not stop:
        try:
            moved = loop.step(IDLE_WAIT)
        except StenographError as error:
            _act_on(error, loop, stop, observer, backoff)
        else:
            backoff.clear()
            observer.moved(moved)
    loop.drain()


def _act_on(error: StenographError, loop: Loop, stop: Stop, observer: Observer, backoff: Backoff) -> None:
    match error.action:
        case Action.RETRY:
            pause = backoff.next()
            observer.retrying(error, backoff.attempt, pause)
            loop.reset(error)
            _wait(pause, loop, stop)
        case Action.PAUSE:
            loop.pause(error)
            observer.paused(error)
        case Action.STOP | Action.QUARANTINE:
            # A record's own fault is settled in the sink; one that gets here concerns the loop.
            raise error
        case _:
            assert_never(error.action)


def _wait(pause: timedelta, loop: Loop, stop: Stop) -> None:
    while pause > timedelta(0) and not stop:
        beat = min(pause, _HEARTBEAT)
        stop.wait(beat)
        pause -= beat
        try:
            loop.keep_alive()
        except StenographError as error:
            if error.action is not Action.RETRY:
                raise
            loop.reset(error)
