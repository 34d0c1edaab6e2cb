"""An operator at the command line: what a command said, with which exit code, and that it told no password.

Judges nothing else.
"""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stenograph.cli import main
from stenograph.supervisor.runfile import RunState, read_state
from tests.crash.site import Site, until

STENO = (sys.executable, "-m", "stenograph.cli")


@dataclass(frozen=True, slots=True)
class Said:
    """One command's end."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)


def password_of(site: Site) -> str:
    """The password in the pipeline's DSN, which must never be printed."""
    password = urlsplit((site.folder / "dsn").read_text()).password
    assert password
    return password


def ask(site: Site, *words: str, stdin: str = "") -> Said:
    """Run the command to its end in this process, without a terminal: as `steno` does, only faster."""
    out, err = StringIO(), StringIO()
    code: object = None
    with (
        chdir(site.folder),
        redirect_stdout(out),
        redirect_stderr(err),
        _replaced(sys, "argv", ["steno", *words, "-p", str(site.file)]),
        _replaced(sys, "stdin", StringIO(stdin)),
        _replaced(os, "environ", _environment({})),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    assert password_of(site) not in out.getvalue() + err.getvalue()
    assert "Traceback" not in err.getvalue(), err.getvalue()
    return Said(code, out.getvalue(), err.getvalue())


@contextmanager
def _replaced(owner: object, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def at_terminal(site: Site, words: Sequence[str], typed: str, columns: int = 80) -> Said:
    """Run the command at a terminal of that width, with this typed into it; its screen is `out`, without colours."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [*STENO, *words, "-p", str(site.file)],
            cwd=site.folder,
            env=_environment({"COLUMNS": str(columns), "TERM": "xterm"}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
    finally:
        os.close(theirs)
    os.write(ours, typed.encode())
    screen = b""
    try:
        while part := os.read(ours, 65536):
            screen += part
    except OSError:
        # The other end of a terminal that nobody holds any more.
        pass
    finally:
        os.close(ours)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.decode()).replace("\r\n", "\n")
    assert password_of(site) not in plain
    return Said(process.wait(30), plain, "")


def last_error(site: Site, loop: str) -> str:
    """What the loop's run file says that it waits for, or that ended it; empty if nothing does."""
    state: RunState | None = read_state(site.wiring.site.run, loop)
    return "" if state is None or state.error is None else state.error


def until_error(site: Site, loop: str, words: str) -> None:
    """Wait until the loop says that."""
    until(lambda: words in last_error(site, loop), f"{loop} says: {words}")


def moved(site: Site, loop: str, pid: int) -> bool:
    """Whether that process has moved a record."""
    state = read_state(site.wiring.site.run, loop)
    return state is not None and state.pid == pid and state.records > 0


def log_lines(site: Site, loop: str) -> list[dict[str, Any]]:
    """The log lines of all its processes, which hold no password."""
    text = (site.folder / f"{loop}.out").read_text()
    assert password_of(site) not in text
    assert "Traceback" not in text, text
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def state_file(site: Site, name: str) -> Path:
    """A file of the pipeline's state: `log.db`, `history.duckdb`, `registry`."""
    return site.wiring.site.state / name


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return {**kept, **more}
