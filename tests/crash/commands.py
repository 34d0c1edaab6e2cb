"""`steno` as a process of its own, with its output in files.

Kills only what it started.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from stenograph.supervisor import held_by
from tests.crash.site import Site, until


@contextmanager
def steno(site: Site, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command, started; killed at the end of the block if it still runs."""
    with (site.folder / f"{arguments[0]}.out").open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "stenograph.cli", *arguments, "-p", str(site.file)],
            cwd=site.folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


def said(site: Site, command: str) -> str:
    """What all processes of that command have printed."""
    return (site.folder / f"{command}.out").read_text()


def pid_of(site: Site, loop: str) -> int | None:
    """The process that runs the loop now."""
    return held_by(site.wiring.site.run, loop)


def until_runs(site: Site, loop: str, other_than: int | None = None) -> int:
    """Wait until a process, another one than that, runs the loop; its pid."""
    until(lambda: pid_of(site, loop) not in {None, 0, other_than}, f"{loop} runs")
    pid = pid_of(site, loop)
    assert pid
    return pid


def lives(pid: int) -> bool:
    """Whether the process is there; a zombie is not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
