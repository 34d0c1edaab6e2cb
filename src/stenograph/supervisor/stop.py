"""The request to end: set by SIGTERM or SIGINT, seen between two steps.

Ends nothing by itself: the loop finishes its step first.
"""

from __future__ import annotations

import os
import signal
import threading
from datetime import timedelta
from types import FrameType


class Stop:
    """Whether to end, and a wait that ends early when asked to."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def request(self) -> None:
        """Ask the loop to end after its step."""
        self._event.set()

    def wait(self, pause: timedelta) -> None:
        """Wait for `pause`, or until asked to end."""
        self._event.wait(pause.total_seconds())

    def on_signals(self) -> None:
        """Let SIGTERM and SIGINT ask; a second one kills, as it would without us."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked)

    def when_stdin_closes(self) -> None:
        """Ask when the other end of standard input goes away: a parent that is killed leaves no child behind."""
        threading.Thread(target=self._read_stdin, name="parent-watch", daemon=True).start()

    def _read_stdin(self) -> None:
        while os.read(0, 1):
            pass
        self.request()

    def _asked(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self.request()
