"""Small files in one folder, written whole or not at all, by one process at a time.

Knows nothing of schemas.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stenograph.errors import ConfigurationError, RegistryUnavailable, StenographError

LOCK_SECONDS = 10.0
"""How long a writer waits for another one before it is RegistryUnavailable."""
_PAUSE_SECONDS = 0.01
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class Shelf:
    """A folder of small text files in UTF-8; places are paths relative to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for writing, which makes it if it is not there; a killed holder lets go.

        Raise RegistryUnavailable if another process holds it for `LOCK_SECONDS`.
        """
        path = self.folder / ".lock"
        with self._told(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            self._take(lock, path)
            yield
        finally:
            os.close(lock)

    def read(self, place: str) -> str | None:
        """The file's text; None if there is no file. Raise ConfigurationError for bytes that are not UTF-8."""
        path = self.folder / place
        try:
            with self._told(path):
                return path.read_text("utf-8")
        except UnicodeDecodeError as fault:
            raise ConfigurationError(
                "A file of the schema registry is damaged: it is not UTF-8.",
                hint="Restore the file from a backup: records written with this schema need it for ever.",
                path=path,
            ) from fault
        except FileNotFoundError:
            return None

    def names(self, place: str) -> list[str]:
        """The names in a folder; empty if there is none."""
        path = self.folder / place
        try:
            with self._told(path):
                return [file.name for file in path.iterdir()]
        except FileNotFoundError:
            return []

    def write(self, place: str, text: str) -> None:
        """Put the file there, durably, before this returns; called under the lock.

        Be careful of the order of two writes: a crash between them leaves the first.
        """
        path = self.folder / place
        draft = path.with_name(f".{path.name}.new")
        with self._told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            folder = path.parent
            _sync(folder)
            while folder != self.folder:
                folder = folder.parent
                _sync(folder)

    def _take(self, lock: int, path: Path) -> None:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as held:
                if time.monotonic() >= deadline:
                    raise RegistryUnavailable(
                        "Another process holds the schema registry's folder.",
                        hint="Wait for it to finish; if it does not, look for a stopped process: `fuser` names it.",
                        path=path,
                    ) from held
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    @contextmanager
    def _told(self, path: Path) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as fault:
            raise _error(fault, path) from fault


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _error(fault: OSError, path: Path) -> StenographError:
    reason = fault.strerror or type(fault).__name__
    if fault.errno in _PASSING:
        return RegistryUnavailable(
            "The schema registry's folder cannot be written or read now.",
            hint="Free some space or look at the disk; the step is tried again by itself.",
            path=path,
            reason=reason,
        )
    return ConfigurationError(
        "The schema registry's folder cannot be used.",
        hint="Check the path and this user's rights.",
        path=path,
        reason=reason,
    )
