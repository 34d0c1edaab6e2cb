"""Waits for what must happen, and shows the figures meanwhile: the demo's only clock.

Starts and kills nothing, but sees when a process that should run does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from rich.text import Text

from stenograph.demo.display import Display, View
from stenograph.demo.meter import Figures, Meter
from stenograph.demo.processes import Child

LOOPS = ("capture", "sink")
CRM = "CRM"
_LOOK_SECONDS = 0.1


class Watch:
    """Looks at the figures ten times a second while it waits. `before` is the rows from before the CRM's day."""

    def __init__(self, meter: Meter, display: Display, children: Mapping[str, Child], before: int) -> None:
        self._meter = meter
        self._display = display
        self._children = children
        self._before = before
        self._length = 1.0
        self._began: float | None = None
        self._rate_at: tuple[float, int] | None = None
        self._rate = 0.0
        self._heard = 0

    def begin_day(self, length: timedelta) -> None:
        """The CRM's day begins now."""
        self._began, self._length = time.monotonic(), length.total_seconds()

    @property
    def seconds(self) -> float:
        """Of the CRM's day."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    @property
    def share(self) -> float:
        """How much of the day is over; more than 1 after its end."""
        return self.seconds / self._length

    def look(self) -> Figures:
        """The figures now, which are shown."""
        now = self._meter.read()
        for sentence in now.said[self._heard :]:
            self._display.moment(self.seconds, Text(sentence, style="cyan"))
        self._heard = len(now.said)
        self._display.show(self._view(now))
        return now

    def until(self, holds: Callable[[Figures], bool], patience: timedelta) -> bool:
        """Whether the condition came to hold within `patience`.

        Raise ChildFailed if capture or sink ended although nobody asked them to.
        """
        deadline = time.monotonic() + patience.total_seconds()
        while not holds(self.look()):
            for name in LOOPS:
                self._children[name].check()
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def until_share(self, share: float) -> None:
        """Wait until that much of the day is over."""
        self.until(lambda _: self.share >= share, timedelta(seconds=self._length))

    def until_stored(self, patience: timedelta, still: timedelta) -> bool:
        """Whether history came to hold what the CRM made; given up when nothing has moved for `still`."""
        moved_at, marks = time.monotonic(), (0, 0)

        def settled(now: Figures) -> bool:
            nonlocal moved_at, marks
            if (now.captured, now.stored) != marks:
                moved_at, marks = time.monotonic(), (now.captured, now.stored)
            return now.stored >= now.made or time.monotonic() - moved_at > still.total_seconds()

        self.until(settled, patience)
        now = self.look()
        return now.stored >= now.made

    def _view(self, now: Figures) -> View:
        before = 0 if self._began is None else self._before
        return View(
            is_day=self._began is not None,
            made=now.made - before,
            captured=max(0, now.captured - before),
            stored=max(0, now.stored - before),
            share=1.0 if self._began is None else min(1.0, self.share),
            seconds=self.seconds,
            per_second=self._per_second(now),
            processes={
                name: child.pid if child.is_running else None
                for name, child in self._children.items()
                if name in LOOPS or child.is_running
            },
        )

    def _per_second(self, now: Figures) -> float:
        at = time.monotonic()
        if self._rate_at is None or at - self._rate_at[0] >= 1:
            if self._rate_at is not None:
                self._rate = (now.committed - self._rate_at[1]) / (at - self._rate_at[0])
            self._rate_at = (at, now.committed)
        return self._rate
