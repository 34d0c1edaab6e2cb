"""The run file: which process runs a loop, and how it fares; `steno status` reads it.

Holds a lock for as long as the process lives: one capture and one sink per embedded pipeline.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

from stenograph.errors import PipelineBusy, StenographError
from stenograph.events import TableId
from stenograph.ports import ReadProgress

_EVERY = 1.0
_PATIENCE = 0.5


@dataclass(slots=True)
class RunState:
    """What a loop says of itself. Times are seconds since 1970 UTC; `error` is a sentence without values.

    `beat_at` is when this was written, which is not while there is nothing to do: whether the loop runs, its lock says.
    """

    loop: str
    pid: int
    started_at: float
    beat_at: float
    moved_at: float | None = None
    records: int = 0
    retries: int = 0
    error: str | None = None
    paused: dict[str, str] = field(default_factory=dict)
    reading: ReadProgress | None = None


class RunFile:
    """The lock and the state of one running loop. Closing it, or dying, gives the lock back.

    Raise PipelineBusy if another living process holds the lock.
    """

    def __init__(self, folder: Path, loop: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{loop}.json"
        self._lock = os.open(folder / f"{loop}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            _take(self._lock)
        except BlockingIOError as cause:
            holder = os.pread(self._lock, 20, 0).decode().strip() or "unknown"
            os.close(self._lock)
            raise PipelineBusy(
                f"Another process already runs the {loop} loop of this pipeline.",
                hint=f"Stop process {holder} first, or leave it running: one is enough.",
                pid=holder,
                lock=folder / f"{loop}.lock",
            ) from cause
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        now = time.time()
        self.state = RunState(loop=loop, pid=os.getpid(), started_at=now, beat_at=now)
        self._written = 0.0
        self._is_due = False
        self._write()

    def moved(self, records: int) -> None:
        """Note a good step."""
        self.state.records += records
        if records:
            self.state.moved_at = time.time()
            self._is_due = True
        if self.state.error is not None:
            self.state.error = None
            self._write()
        elif self._is_due and time.time() - self._written > _EVERY:
            # Only what has changed: a loop with nothing to do writes nothing.
            self._write()

    def reads(self, progress: ReadProgress | None) -> None:
        """Note the table that is being read; written with the next good step."""
        if progress != self.state.reading:
            self.state.reading = progress
            self._is_due = True

    def retrying(self, error: StenographError, attempt: int, pause: timedelta) -> None:
        """Note a failed step."""
        self.state.retries += 1
        self.state.error = f"{error} {error.hint}"
        self._write()

    def failed(self, error: StenographError) -> None:
        """Note the error that ends the loop."""
        self.state.error = f"{error} {error.hint}"
        self._write()

    def paused(self, error: StenographError) -> None:
        """Note a table left out."""
        self.state.paused[str(error.facts.get("topic", "?"))] = f"{error} {error.hint}"
        self._write()

    def close(self) -> None:
        """Give the lock back; the state stays for `steno status`."""
        self._write()
        os.close(self._lock)

    def _write(self) -> None:
        self.state.beat_at = self._written = time.time()
        self._is_due = False
        draft = self._path.with_suffix(".tmp")
        try:
            draft.write_text(json.dumps(asdict(self.state)))
            draft.replace(self._path)
        except OSError:
            # A full disk must not stop the loop: the state is for people, the lock is held anyway.
            return


def _take(handle: int) -> None:
    """Lock exclusively; a short patience, because `held_by` takes the lock for an instant to look."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def read_state(folder: Path, loop: str) -> RunState | None:
    """The last state a loop wrote; None if it never ran here, or what is there is not such a state."""
    try:
        facts = json.loads((folder / f"{loop}.json").read_text())
        reading = facts.pop("reading", None)
        if reading is not None:
            reading = ReadProgress(**{**reading, "table": TableId(**reading["table"])})
        return RunState(**facts, reading=reading)
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        # The file is for people and of no value to a loop: what another version or a full disk left says nothing.
        return None


def held_by(folder: Path, loop: str) -> int | None:
    """The pid of the living process that runs the loop; None if none does."""
    try:
        handle = os.open(folder / f"{loop}.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(handle, 20, 0).decode().strip() or 0)
    finally:
        os.close(handle)
    return None
