"""The demo's child processes: started, killed without warning, started again, asked to end.

Restarts nothing by itself: the story does, in its own time.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from stenograph.errors import StenographError

GRACE = timedelta(seconds=10)
"""How long a child may take to end after SIGTERM."""


class ChildFailed(StenographError):
    """A process of the demo ended in a way that it must not, or does not move."""


@dataclass(slots=True)
class Child:
    """One process at a time under one name. What it prints goes to `output`, run after run.

    Its standard input is a pipe: when this process dies, however it dies, the child sees the pipe close and ends.
    It is in a session of its own, so that Ctrl-C reaches only this process, which then ends the children in order.
    """

    name: str
    command: Sequence[str]
    folder: Path
    output: Path
    pid: int | None = field(default=None, init=False)
    """The process that was started last and neither killed nor ended by us; None when there is none."""
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def is_running(self) -> bool:
        """Whether a process runs now."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> int:
        """Start a process; its pid."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.pid = self._process.pid
        return self.pid

    def check(self) -> None:
        """Raise ChildFailed if the process ended although nobody asked it to."""
        if self.pid is not None and not self.is_running:
            raise self.failed("ended by itself")

    def kill(self) -> int:
        """Send SIGKILL, which no program can see coming; the exit code, which is -9.

        Raise ChildFailed if the process had ended before.
        """
        process = self._started()
        process.kill()
        code = process.wait()
        if code != -signal.SIGKILL:
            raise self.failed("ended before it was killed")
        return self._forget(process, code)

    def ask_to_end(self) -> None:
        """Send SIGTERM, if a process runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, patience: timedelta = GRACE) -> int:
        """The exit code; -9 if the process had to be killed because it took longer."""
        process = self._started()
        try:
            code = process.wait(patience.total_seconds())
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        return self._forget(process, code)

    def failed(self, how: str) -> ChildFailed:
        """The error that says so and where to read why."""
        return ChildFailed(
            f"The demo's {self.name} process {how}.",
            hint=f"Read what it said in {self.output}.",
            pid=self.pid,
            exit_code=None if self._process is None else self._process.poll(),
        )

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise self.failed("was never started")
        return self._process

    def _forget(self, process: subprocess.Popen[bytes], code: int) -> int:
        if process.stdin is not None:
            process.stdin.close()
        self.pid = None
        return code


def end_all(children: Sequence[Child]) -> None:
    """End what still runs, all at once; kill what does not end within the grace."""
    running = [child for child in children if child.is_running]
    for child in running:
        child.ask_to_end()
    deadline = time.monotonic() + GRACE.total_seconds()
    for child in running:
        child.wait(timedelta(seconds=max(0.0, deadline - time.monotonic())))
