"""Loops as child processes: started together, started again when killed, ended together.

A child that ends by itself says something: with an error, all end. A child that was killed says nothing and is
started again.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from stenograph.supervisor.backoff import Backoff
from stenograph.supervisor.stop import Stop

GRACE = timedelta(seconds=10)
"""How long a child may take to drain after SIGTERM."""
_LOOK = timedelta(milliseconds=100)
_STEADY = 30.0

Killed = Callable[[str, int, int], None]
"""Hears of a child that was killed: its name, its pid, the signal's number."""


class Children:
    """Child processes by name. Their standard input is a pipe: when this process dies, they see it close."""

    def __init__(self, commands: Mapping[str, Sequence[str]], killed: Killed) -> None:
        self._commands = commands
        self._killed = killed
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started: dict[str, float] = {}
        self._backoff = {name: Backoff() for name in commands}

    def run(self, stop: Stop) -> int:
        """Keep all running until `stop`, or until one ends by itself; the exit code to end with."""
        try:
            for name in self._commands:
                self._start(name)
            while not stop:
                for name, process in list(self._running.items()):
                    code = process.poll()
                    if code is None:
                        continue
                    if code >= 0:
                        return code
                    self._again(name, process.pid, -code, stop)
                stop.wait(_LOOK)
            return 0
        finally:
            self.end()

    def end(self) -> None:
        """Ask all to drain, then kill what has not ended within the grace."""
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + GRACE.total_seconds()
        for process in self._running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()

    def _start(self, name: str) -> None:
        self._running[name] = subprocess.Popen(self._commands[name], stdin=subprocess.PIPE)
        self._started[name] = time.monotonic()

    def _again(self, name: str, pid: int, signal: int, stop: Stop) -> None:
        self._killed(name, pid, signal)
        if time.monotonic() - self._started[name] > _STEADY:
            self._backoff[name].clear()
        stop.wait(self._backoff[name].next())
        if not stop:
            self._start(name)
