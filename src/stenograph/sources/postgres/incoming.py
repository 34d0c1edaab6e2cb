"""Frames of the stream in the order in which they came, some of which were looked at and put back.

Receives through what it is given; knows nothing of what a frame holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_AT_ONCE = 1024


class Incoming:
    """What `receive` gives, after what was put back.

    `receive` is called with a number of frames and gives as many at most, none when none has arrived; `wait` waits for
    more until a time of the monotonic clock.
    """

    def __init__(self, receive: Callable[[int], list[bytes]], wait: Callable[[float], None]) -> None:
        self._receive = receive
        self._held: list[bytes] = []
        self.wait = wait

    def next(self) -> bytes | None:
        """The next frame; None when none has arrived."""
        if not self._held:
            self._held = self._receive(_AT_ONCE)
            self._held.reverse()
        return self._held.pop() if self._held else None

    def some(self, most: int) -> list[bytes]:
        """The next frames, so many at most; none when none has arrived."""
        if not self._held:
            return self._receive(most)
        found = self._held[-most:]
        del self._held[-most:]
        found.reverse()
        return found

    def put_back(self, frames: Sequence[bytes]) -> None:
        """Have these come again, before all others."""
        self._held.extend(reversed(frames))
