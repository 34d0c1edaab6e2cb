"""The server behind an `embedded:PATH` DSN: the first process in starts it, the last one out stops it.

Watches nothing in the background, and trusts no pid file: who uses the server and whether it lives is
told by locks, which the kernel releases when their holder dies.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from stenograph.errors import SourceRefused, SourceUnavailable
from stenograph.sources.postgres.server.cluster import Cluster
from stenograph.sources.postgres.server.home import (
    Home,
    detached_home,
    existing_home,
    gate,
    make_home,
)
from stenograph.sources.postgres.server.locks import (
    exclusive,
    is_locked,
    open_lock,
    try_lock,
    wait_until,
)

START_SECONDS = 60.0
GATE_SECONDS = 2 * START_SECONDS
STOPS = ((signal.SIGINT, 8.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
"""Fast, immediate, killed. Fast waits for replication clients, so one that hangs costs the first wait;
after the others the next start recovers what was committed."""


@dataclass(slots=True)
class EmbeddedServer:
    """One process's use of the server in `path`; enter it for the DSN, leave it when done.

    Any number of processes may be inside at once. The first starts the server, and makes its data before
    when there is none; the last one out stops it and waits for its end. A process killed with -9 counts
    as gone, and a server that lost all its users that way is picked up by the next one. Postgres runs in
    a session of its own, so neither Ctrl-C nor the death of the process that started it ends it.

    `path` becomes a folder with data, password (mode 600), port, locks and log; `PATH.lock` appears
    beside it. As root the server runs as user nobody; in a tree that nobody cannot enter, `path` becomes
    a symlink to a folder in /var/tmp that holds all of this.

    The traps: the port changes when another program has taken it, so keep no DSN over a restart;
    `settings` count only for the process that starts the server; a file system without `flock` (some
    network shares) cannot hold `path`.
    Raise `ConfigurationError`, `SourceRefused` or `SourceUnavailable` on entering.
    """

    path: Path
    database: str = "crm"
    settings: Mapping[str, str] = field(default_factory=dict)
    """Server settings over the defaults of `cluster.SETTINGS`, such as `{"fsync": "off"}`."""
    major: int | None = None
    """Of data made now; data that exists keeps its own."""
    _use: int | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def start(self) -> str:
        """Use the server, starting it when it does not run; the answer is the DSN."""
        with exclusive(gate(self.path), GATE_SECONDS):
            if existing_home(self.path) is None:
                # Its symlink was removed while it ran.
                _halt(detached_home(self.path))
            home = make_home(self.path)
            self._use = open_lock(home.users)
            fcntl.flock(self._use, fcntl.LOCK_SH)
            try:
                cluster = Cluster(home, self.settings, self.major)
                _bring_up(cluster)
                return cluster.dsn(self.database)
            except BaseException:
                self._leave(home)
                raise

    def leave(self) -> None:
        """Stop using the server, and stop it when nobody else uses it. Nothing happens the second time."""
        if self._use is None:
            return
        with exclusive(gate(self.path), GATE_SECONDS):
            self._leave(existing_home(self.path))

    def _leave(self, home: Home | None) -> None:
        if self._use is None:
            return
        # Said aloud, because a forked child would keep the lock of a mere close.
        fcntl.flock(self._use, fcntl.LOCK_UN)
        os.close(self._use)
        self._use = None
        if home is not None and not is_locked(home.users):
            _halt(home)


@contextmanager
def embedded(
    path: Path, *, database: str = "crm", settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Use the server in `path` for a while; see `EmbeddedServer` for the promise and the traps."""
    with EmbeddedServer(path, database, settings or {}) as dsn:
        yield dsn


def stop(path: Path) -> None:
    """Stop the server in `path`, whoever uses it, and wait until none of its processes is left.

    Nothing happens when there is no server. Raise `SourceRefused` when it is another user's.
    """
    with exclusive(gate(path), GATE_SECONDS):
        home = existing_home(path)
        _halt(detached_home(path) if home is None else home)


def is_running(path: Path) -> bool:
    """Whether any process of the server in `path` lives."""
    home = existing_home(path)
    return home is not None and is_locked(home.alive)


def _bring_up(cluster: Cluster) -> None:
    alive = open_lock(cluster.home.alive)
    nobody_lives = False

    def settled() -> bool:
        nonlocal nobody_lives
        nobody_lives = try_lock(alive, fcntl.LOCK_EX)
        return nobody_lives or cluster.answers()

    try:
        # A living server may still be starting, or leaving after its postmaster was killed.
        if not wait_until(settled, START_SECONDS):
            raise SourceUnavailable(
                "The embedded Postgres server runs but does not answer.",
                hint="Read its log; after `kill -9` of its processes the next start recovers it.",
                log=str(cluster.home.log),
            )
        if nobody_lives and not cluster.answers():
            cluster.launch(alive)
    finally:
        os.close(alive)


def _halt(home: Home) -> None:
    if not is_locked(home.alive):
        return
    for how, seconds in STOPS:
        if _stopped_by(home, how, seconds):
            return
    raise SourceUnavailable(
        "The embedded Postgres server does not stop.",
        hint="Look for its processes, and for a program that it started.",
        folder=str(home.folder),
    )


def _stopped_by(home: Home, how: signal.Signals, seconds: float) -> bool:
    told: set[int] = set()

    def gone() -> bool:
        if not is_locked(home.alive):
            return True
        pid = Cluster(home).pid()
        if pid is not None and pid not in told:
            told.add(pid)
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                # A killed postmaster's file; its children leave by themselves.
                pass
            except PermissionError as refusal:
                raise SourceRefused(
                    "The embedded Postgres server runs as another user.",
                    hint="Stop it as the user who started it, or as root.",
                    folder=str(home.folder),
                    pid=pid,
                ) from refusal
        return False

    return wait_until(gone, seconds)
