"""Advisory locks on files, which the kernel releases when their last holder dies, even by kill -9.

Deletes no lock file: a process that waits on a deleted file would hold a lock that nobody else sees.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stenograph.errors import SourceUnavailable

POLL_SECONDS = 0.02


def open_lock(path: Path) -> int:
    """A descriptor on the lock file, which is made when missing; every opening locks for itself.

    The trap: a forked child shares the opening, and with it the lock.
    """
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take the lock (`fcntl.LOCK_SH` or `LOCK_EX`) if that needs no waiting."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask until the condition holds; False when it still does not after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def is_locked(path: Path) -> bool:
    """Whether anybody holds a lock on the file; a file that is not there is not locked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not try_lock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive(path: Path, seconds: float) -> Iterator[None]:
    """Hold the file's lock alone. Raise `SourceUnavailable` when others keep it longer than `seconds`."""
    descriptor = open_lock(path)
    try:
        if not wait_until(lambda: try_lock(descriptor, fcntl.LOCK_EX), seconds):
            raise SourceUnavailable(
                "Another process has been starting or stopping the embedded Postgres server for too long.",
                hint="Look for a suspended `steno` process that works in the same folder.",
                lock=str(path),
                waited_seconds=seconds,
            )
        yield
    finally:
        os.close(descriptor)
