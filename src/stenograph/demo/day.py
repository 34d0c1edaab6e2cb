"""The CRM's day, during which capture and sink are killed three times and started again.

Mends nothing after a kill but to start the process: it has to find its place by itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from rich.text import Text

from stenograph.demo.display import Display
from stenograph.demo.meter import Figures
from stenograph.demo.processes import Child
from stenograph.demo.watch import CRM, Watch

LENGTH = timedelta(seconds=24)
_KILLS: Sequence[tuple[float, Sequence[str]]] = (
    (0.25, ["capture"]),
    (0.50, ["sink"]),
    (0.75, ["capture", "sink"]),
)
"""Who is killed when this share of the day is over."""
_MISSED = 500
"""A killed process stays dead until the CRM has made so many changes,"""
_DEAD = timedelta(seconds=3)
"""or for so long."""
_PATIENCE = timedelta(seconds=45)


class Day:
    """One day. `dead` are the stretches of it during which capture or the sink, or both, were dead."""

    def __init__(self, watch: Watch, display: Display, children: Mapping[str, Child]) -> None:
        self._watch = watch
        self._display = display
        self._children = children
        self.dead: list[tuple[datetime, datetime]] = []

    def live(self) -> int:
        """From morning to evening; the exit code of the CRM."""
        crm = self._children[CRM]
        pid = crm.start()
        self._watch.until(lambda now: now.committed > 0 or not crm.is_running, _PATIENCE)
        self._watch.begin_day(LENGTH)
        self._say(f"The CRM begins its day as process {pid}.")
        for share, names in _KILLS:
            self._watch.until_share(share)
            self._interrupt(names)
        self._watch.until(lambda _: not crm.is_running, 2 * LENGTH)
        return crm.wait(timedelta(0))

    def _interrupt(self, names: Sequence[str]) -> None:
        children = [self._children[name] for name in names]
        before, killed_at = self._watch.look().made, datetime.now(UTC)
        for child in children:
            pid = child.pid
            code = child.kill()
            self._say(f"{child.name}, process {pid}, is killed", "red", f": SIGKILL, exit code {code}.")
        self._watch.until(lambda now: now.made - before >= _MISSED, _DEAD)
        # The ledger is read a moment late; a dead sink's stands still, so one more look has its last mark.
        now = self._watch.look()
        for child in children:
            missed = now.made - now.mark(child.name)
            pid = child.start()
            self._say(
                f"{child.name} starts again", "green", f" as process {pid}; it has missed {missed:,} changes."
            )
        self.dead.append((killed_at, datetime.now(UTC)))
        started = time.monotonic()
        if self._watch.until(lambda later: _has_all(later, names, now.made), LENGTH / 5):
            have = "has" if len(names) == 1 else "have"
            self._say(f"{' and '.join(names)} {have} them all, {time.monotonic() - started:.1f} s later.")

    def _say(self, first: str, style: str = "", rest: str = "") -> None:
        self._display.moment(self._watch.seconds, Text.assemble((first, style), rest))


def _has_all(now: Figures, names: Sequence[str], made: int) -> bool:
    return all(now.mark(name) >= made for name in names)
