"""Faults as ordinary values: a wrapper around any port that fails, dies, waits or loses the answer at the n-th call.

Knows no port: methods are named by text, and a fault that was never reached fails its test.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any, Generic, TypeVar, cast

P = TypeVar("P")
Hook = Callable[[], None]


class When(Enum):
    """On which side of the call the fault lies."""

    BEFORE = "before"
    """The call is never made."""
    AFTER = "after"
    """The call is made, and its answer is lost."""


@dataclass(slots=True)
class Fault:
    """At the `nth` call of `method`, counted from 1, do `act`; `reached` counts how often that was."""

    method: str
    nth: int
    when: When
    act: Hook
    reached: int = 0


def fail_before(method: str, error: Exception, nth: int = 1) -> Fault:
    """The call fails and nothing was done."""
    return Fault(method, nth, When.BEFORE, _raising(error))


def lose_answer(method: str, error: Exception, nth: int = 1) -> Fault:
    """The call does its work, and its caller is told that it failed."""
    return Fault(method, nth, When.AFTER, _raising(error))


def die_before(method: str, nth: int = 1) -> Fault:
    """This process is killed as by `kill -9` before the call."""
    return Fault(method, nth, When.BEFORE, kill_this_process)


def die_after(method: str, nth: int = 1) -> Fault:
    """This process is killed as by `kill -9` when the call has returned."""
    return Fault(method, nth, When.AFTER, kill_this_process)


def delay(method: str, pause: timedelta, nth: int = 1) -> Fault:
    """The call is made late."""
    return Fault(method, nth, When.BEFORE, lambda: time.sleep(pause.total_seconds()))


def kill_this_process() -> None:
    """SIGKILL: no handler, no `finally`, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)


def _raising(error: Exception) -> Hook:
    def act() -> None:
        raise error

    return act


@dataclass(slots=True)
class Faulty(Generic[P]):
    """A port with faults; `Faulty(port, ...).port` is what the code under test is given.

    One `Faulty` may stand for several objects in turn: `around` wraps a reopened port and calls go on being
    counted, so that "the third append" means the third whichever object made it.
    """

    inner: P
    faults: Sequence[Fault] = ()
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def port(self) -> P:
        """The inner object behind the faults."""
        return self.around(self.inner)

    def around(self, inner: P) -> P:
        """Another object behind the same faults and the same count."""
        return cast(P, _Proxy(inner, self))

    def called(self, method: str, call: Callable[[], Any]) -> Any:
        """Make the call with whatever faults lie on it."""
        self.calls[method] += 1
        count = self.calls[method]
        due = [fault for fault in self.faults if fault.method == method and fault.nth == count]
        self._act(due, When.BEFORE)
        answer = call()
        self._act(due, When.AFTER)
        return answer

    def unreached(self) -> list[Fault]:
        """The faults that no call has come to."""
        return [fault for fault in self.faults if not fault.reached]

    def _act(self, due: Sequence[Fault], when: When) -> None:
        for fault in due:
            if fault.when is when:
                fault.reached += 1
                fault.act()


class _Proxy:
    def __init__(self, inner: object, faulty: Faulty[Any]) -> None:
        self._inner = inner
        self._faulty = faulty

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value):
            return value

        def call(*args: Any, **named: Any) -> Any:
            return self._faulty.called(name, lambda: value(*args, **named))

        return call


@contextmanager
def all_reached(*ports: Faulty[Any]) -> Iterator[None]:
    """Fail the test if one of these ports' faults was not reached in the block: it would have proved nothing."""
    yield
    missed = [f"{fault.nth}. {fault.method} ({fault.when.value})" for p in ports for fault in p.unreached()]
    assert not missed, f"these faults were never reached: {', '.join(missed)}"
