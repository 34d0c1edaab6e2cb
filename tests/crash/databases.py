"""A database that several tests share, as `fix_postgres` makes one for a single test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg import sql

from tests.fix_postgres import Database, PostgresServer, _drop_slots


@contextmanager
def fresh_database(server: PostgresServer) -> Iterator[Database]:
    """A new database, which goes with its slots at the end of the block."""
    made = Database(server, f"test_{uuid4().hex[:12]}")
    name = sql.Identifier(made.name)
    with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
    try:
        yield made
    finally:
        with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
            _drop_slots(admin, made.name)
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
