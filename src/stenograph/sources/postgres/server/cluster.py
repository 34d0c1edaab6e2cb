"""One Postgres data directory: made by initdb, started on a port, asked whether it answers.

Decides neither when to start nor when to stop, and locks nothing: its caller holds the gate.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from stenograph.errors import ConfigurationError, SourceRefused, SourceUnavailable
from stenograph.sources.postgres.server.binaries import Binaries, locate
from stenograph.sources.postgres.server.home import Home

HOST = "127.0.0.1"
ROLE = "steno"
SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "max_wal_size": "1GB",
    "shared_buffers": "128MB",
}

# Below every system's range for outgoing connections, so that a port is still free at the next start.
PORTS = range(20_000, 32_000)
PORT_ATTEMPTS = 5
INIT_SECONDS = 120.0
LAUNCH_SECONDS = 60
LOG_BYTES = 10_000_000
LOCALES = ("C.UTF-8", "C")
"""The second one is for systems that lack the first, such as older macOS."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The data directory of `home` and how to run it."""

    home: Home
    settings: Mapping[str, str] = field(default_factory=dict)
    major: int | None = None

    def dsn(self, database: str) -> str:
        """The DSN of `database` in the running server; the database is made when it is missing."""
        try:
            with self._connect() as connection:
                query = "SELECT 1 FROM pg_database WHERE datname = %s"
                if connection.execute(query, [database]).fetchone() is None:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        except psycopg.Error as refusal:
            raise SourceUnavailable(
                "The embedded Postgres server has ended just after its start.",
                hint="Read the end of its log.",
                log=str(self.home.log),
            ) from refusal
        password = self.home.password.read_text()
        return f"postgresql://{ROLE}:{password}@{HOST}:{self._running_port()}/{quote(database, safe='')}"

    def answers(self) -> bool:
        """Whether a server on the pid file's port knows the password and runs this data."""
        if self._running_port() is None or not self.home.password.exists():
            return False
        try:
            with self._connect() as connection:
                row = connection.execute("SHOW data_directory").fetchone()
        except psycopg.Error:
            return False
        return row is not None and Path(str(row[0])).resolve() == self.home.data

    def pid(self) -> int | None:
        """The postmaster of the pid file, which may be stale."""
        return self._pid_file(0)

    def launch(self, alive: int) -> None:
        """Make the data when there is none, and start the server on it; it answers when this returns.

        Every process started here inherits the descriptor `alive` with its lock.
        Raise `ConfigurationError` without binaries, `SourceRefused` when initdb fails, and
        `SourceUnavailable` when the server does not start.
        """
        binaries = locate(self._wanted_major())
        if not self.home.data.exists():
            self._initialize(binaries, alive)
        elif not self.home.password.exists():
            raise SourceRefused(
                "The password of the embedded server is gone.",
                hint="Put the file back, or remove the folder to begin with an empty server.",
                file=str(self.home.password),
            )
        # Nothing holds `alive`, so the pid file is stale, even where its pid lives again as another program.
        (self.home.data / "postmaster.pid").unlink(missing_ok=True)
        for _ in range(PORT_ATTEMPTS):
            port = self._free_port()
            if self._start(binaries, alive, port):
                return
            if _is_free(port):
                break
        raise SourceUnavailable(
            "The embedded Postgres server does not start.",
            hint="Read the end of its log.",
            log=str(self.home.log),
            said=self._last_words(),
        )

    def _wanted_major(self) -> int | None:
        try:
            made_by = int((self.home.data / "PG_VERSION").read_text())
        except FileNotFoundError:
            return self.major
        if self.major not in (None, made_by):
            raise ConfigurationError(
                "The embedded server's data was made by another Postgres version.",
                hint="Name another folder after `embedded:`.",
                wanted=self.major,
                found=made_by,
            )
        return made_by

    def _initialize(self, binaries: Binaries, alive: int) -> None:
        stage, identity = self.home.stage, self.home.run_as()
        password = secrets.token_urlsafe(24)
        _write_private(self.home.password, password)
        for locale in LOCALES:
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir(mode=0o700)
            secret = stage / "password"
            _write_private(secret, password)
            if identity:
                os.chown(secret, identity["user"], identity["group"])
                os.chown(stage, identity["user"], identity["group"])
            made = subprocess.run(
                [
                    binaries.program("initdb"),
                    f"--pgdata={stage / 'data'}",
                    f"--username={ROLE}",
                    f"--pwfile={secret}",
                    f"--locale={locale}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--no-sync",
                ],
                env=binaries.environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=INIT_SECONDS,
                check=False,
                pass_fds=[alive],
                start_new_session=True,
                **identity,
            )
            if made.returncode == 0:
                (stage / "data").rename(self.home.data)
                shutil.rmtree(stage)
                return
            if "invalid locale" not in made.stderr:
                break
        shutil.rmtree(stage, ignore_errors=True)
        raise SourceRefused(
            "initdb could not make the embedded server's data.",
            hint="Its last words say why; a full disk is the usual reason.",
            folder=str(self.home.folder),
            said=(made.stderr.strip().splitlines() or [""])[-1],
        )

    def _start(self, binaries: Binaries, alive: int, port: int) -> bool:
        options = ["-p", str(port)]
        for name, value in {**SETTINGS, **self.settings}.items():
            options += ["-c", f"{name}={value}"]
        self.home.port.unlink(missing_ok=True)
        self.home.port.write_text(str(port))
        log = os.open(self.home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(log).st_size > LOG_BYTES:
                os.truncate(log, 0)
            # pg_ctl leaves the server to init, so whoever is alive at its end need not reap it.
            done = subprocess.run(
                [
                    binaries.program("pg_ctl"),
                    "start",
                    "--wait",
                    f"--timeout={LAUNCH_SECONDS}",
                    f"--pgdata={self.home.data}",
                    f"--options={shlex.join(options)}",
                ],
                env=binaries.environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
                pass_fds=[alive],
                start_new_session=True,
                **self.home.run_as(),
            )
        finally:
            os.close(log)
        return done.returncode == 0 and self.answers()

    def _free_port(self) -> int:
        try:
            kept = int(self.home.port.read_text())
        except (FileNotFoundError, ValueError):
            kept = 0
        if kept and _is_free(kept):
            return kept
        for port in secrets.SystemRandom().sample(PORTS, 100):
            if _is_free(port):
                return port
        raise SourceUnavailable(
            "No port is free for the embedded Postgres server.",
            hint=f"Free one between {PORTS.start} and {PORTS.stop}.",
        )

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=HOST,
            port=self._running_port(),
            user=ROLE,
            password=self.home.password.read_text(),
            dbname="postgres",
            connect_timeout=5,
            autocommit=True,
        )

    def _running_port(self) -> int | None:
        return self._pid_file(3)

    def _pid_file(self, line: int) -> int | None:
        """A number of postmaster.pid, whose lines Postgres's miscadmin.h lists."""
        try:
            return int((self.home.data / "postmaster.pid").read_text().splitlines()[line])
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def _last_words(self) -> str:
        lines = self.home.log.read_text(errors="replace").splitlines()[-30:]
        fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
        return (fatal or lines or [""])[-1]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
