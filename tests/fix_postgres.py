"""Fixtures of real Postgres servers: one per worker and version, and a fresh database for each test.

Simulates nothing, and keeps no server when the session ends.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from stenograph.errors import ConfigurationError
from stenograph.sources.postgres.server import Binaries, EmbeddedServer, locate
from tests.components import require_component

DEFAULT_MAJOR = 18
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_wal_senders": "40",
    "max_replication_slots": "40",
}

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server of this test session."""

    major: int
    binaries: Binaries
    admin_dsn: str
    """Its superuser in the database `postgres`."""

    def dsn(self, database: str) -> str:
        """The superuser's DSN of a database."""
        return make_conninfo(self.admin_dsn, dbname=database)


@dataclass(frozen=True, slots=True)
class Database:
    """A database that this test has for itself; it goes with its slots when the test ends."""

    server: PostgresServer
    name: str

    @property
    def dsn(self) -> str:
        """A URL, as a pipeline file has it."""
        facts = conninfo_to_dict(self.server.admin_dsn)
        return f"postgresql://{facts['user']}:{facts['password']}@{facts['host']}:{facts['port']}/{self.name}"

    def connect(self) -> psycopg.Connection[Row]:
        """A new autocommit connection, which the caller closes."""
        return psycopg.connect(self.dsn, autocommit=True, client_encoding="UTF8")

    def execute(self, *statements: str | sql.SQL | sql.Composed) -> None:
        """Run statements, each in its own transaction; one string may hold several, as one transaction."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(_text(statement))

    def fetch(self, query: str | sql.SQL | sql.Composed, *values: object) -> list[Row]:
        """The rows of a query."""
        with self.connect() as connection:
            return connection.execute(_text(query), values or None).fetchall()


@dataclass(slots=True)
class PostgresServers:
    """The servers of this session, each started when a test first asks for it."""

    folder: Path
    exits: ExitStack
    running: dict[int, PostgresServer] = field(default_factory=dict)

    def get(self, major: int) -> PostgresServer:
        """The server of that version; the test is skipped when it is not installed."""
        if major not in self.running:
            reason = None
            try:
                binaries = locate(major)
            except ConfigurationError as missing:
                reason = f"locate({major}) says: {missing}"
            require_component("postgres" if major == DEFAULT_MAJOR else f"postgres{major}", reason)
            server = EmbeddedServer(self.folder / f"pg{major}", "postgres", FAST, major)
            self.running[major] = PostgresServer(major, binaries, self.exits.enter_context(server))
        return self.running[major]


@pytest.fixture(scope="session")
def postgres_servers() -> Iterator[PostgresServers]:
    # Not pytest's own folder: its mode 700 would keep out the user whom root becomes.
    folder = Path(tempfile.mkdtemp(prefix="steno-test-pg-"))
    folder.chmod(0o711)
    try:
        with ExitStack() as exits:
            yield PostgresServers(folder, exits)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server(postgres_servers: PostgresServers, request: pytest.FixtureRequest) -> PostgresServer:
    """Postgres 18, or what `@pytest.mark.parametrize("postgres_server", [17, 18], indirect=True)` asks for."""
    return postgres_servers.get(getattr(request, "param", DEFAULT_MAJOR))


@pytest.fixture
def admin_dsn(postgres_server: PostgresServer) -> str:
    return postgres_server.admin_dsn


@contextmanager
def fresh_database(server: PostgresServer, options: str = "") -> Iterator[Database]:
    """An empty database made with these options, which goes with its slots at the end of the block."""
    made = Database(server, f"test_{uuid4().hex[:12]}")
    name = sql.Identifier(made.name)
    with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {made.name} {options}".encode())
    try:
        yield made
    finally:
        with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
            _drop_slots(admin, made.name)
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    with fresh_database(postgres_server) as made:
        yield made


def _text(statement: str | sql.SQL | sql.Composed) -> bytes | sql.SQL | sql.Composed:
    return statement.encode() if isinstance(statement, str) else statement


def _drop_slots(admin: psycopg.Connection[Row], database: str) -> None:
    deadline = time.monotonic() + 30
    slots = "FROM pg_replication_slots WHERE database = %s"
    while admin.execute(f"SELECT 1 {slots} LIMIT 1", [database]).fetchone() is not None:
        if time.monotonic() > deadline:
            pytest.fail(f"the slots of {database} cannot be dropped")
        admin.execute(f"SELECT pg_terminate_backend(active_pid) {slots} AND active", [database])
        try:
            admin.execute(f"SELECT pg_drop_replication_slot(slot_name) {slots} AND NOT active", [database])
        except psycopg.errors.ObjectInUse:
            # Its client came back in between.
            continue
