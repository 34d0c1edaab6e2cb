"""The queue before the history file: DuckDB's own lock has none, so readers that overlap would keep the sink out.

A courtesy, never correctness: who does not ask here still meets DuckDB's lock. Makes no file beside one that is not
ours. See docs/adr/0002-duckdb-access.md.
"""

from __future__ import annotations

import fcntl
import os
import random
import time
from pathlib import Path
from typing import Final, Literal

_TURNSTILE: Final = 0
_ROOM: Final = 1
_RETRY_SECONDS: Final = (0.001, 0.003)

Kind = Literal["shared", "alone"]


def gate_of(path: Path) -> Path:
    """The file whose first two bytes are locked: it stays empty, and may be removed while nobody works."""
    return path.with_name(f"{path.name}.turn")


def build_gate(path: Path) -> None:
    """Make the gate of a history file, if its folder allows that and there is none yet.

    Trap: opening and closing the one that is there would end this process's own stay at it.
    """
    if gate_of(path).exists():
        return
    try:
        os.close(os.open(gate_of(path), os.O_RDWR | os.O_CREAT, 0o666))
    except OSError:
        # Without a gate both sides go straight to DuckDB's lock.
        return


class Gate:
    """One stay at the gate, from `enter` to `leave`; the end of the process ends it too.

    Trap: a POSIX lock belongs to the process, so two stays of one process do not exclude each other, and the end of
    one ends both.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @classmethod
    def enter(cls, path: Path, kind: Kind, deadline: float) -> Gate:
        """Wait for the turn until `deadline` (of `time.monotonic`), then go on without it: DuckDB names who holds.

        The turnstile is kept while waiting for the room, so that who comes later queues behind.
        """
        try:
            descriptor = os.open(gate_of(path), os.O_RDONLY if kind == "shared" else os.O_RDWR)
        except OSError:
            return cls(None)
        try:
            if _lock(descriptor, _TURNSTILE, kind, deadline):
                _lock(descriptor, _ROOM, kind, deadline)
                fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, _TURNSTILE)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def leave(self) -> None:
        """Let the next ones in; safe to call twice."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


def _lock(descriptor: int, byte: int, kind: Kind, deadline: float) -> bool:
    mode = fcntl.LOCK_SH if kind == "shared" else fcntl.LOCK_EX
    while True:
        try:
            fcntl.lockf(descriptor, mode | fcntl.LOCK_NB, 1, byte)
        except OSError:
            if time.monotonic() >= deadline:
                return False
        else:
            return True
        time.sleep(random.uniform(*_RETRY_SECONDS))
