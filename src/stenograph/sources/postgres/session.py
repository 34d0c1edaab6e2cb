"""Connections whose text output is the same whatever the server's and the role's own settings are.

Keeps no connection and retries none.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from stenograph.errors import ConfigurationError
from stenograph.sources.postgres.failures import mapped

Session = psycopg.Connection[tuple[Any, ...]]

_OUTPUT = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "search_path": "pg_catalog",
    # A policy would hide rows from a snapshot and not from the stream: Postgres refuses the statement instead.
    "row_security": "off",
}
"""What the value functions and the reading of tables rely on."""


def connect(dsn: str) -> Session:
    """An autocommit connection for queries; raise SourceUnavailable, SourceRefused or ConfigurationError."""
    return _connect(dsn, {})


def connect_for_replication(dsn: str) -> Session:
    """A connection that speaks the replication protocol; raises as `connect` does."""
    return _connect(dsn, {"replication": "database"})


def _connect(dsn: str, more: dict[str, str]) -> Session:
    try:
        facts = conninfo_to_dict(dsn)
        # A password with a slash or a colon in it may end up as the port.
        if not set(str(facts.get("port") or "")) <= set("0123456789,"):
            raise psycopg.ProgrammingError
    except psycopg.ProgrammingError:
        # Its text quotes the DSN, which may hold a password.
        raise ConfigurationError(
            "The source's DSN is not one that Postgres's client library can read.",
            hint="Write it as postgresql://user@host:5432/database; a password belongs into env: or file:.",
        ) from None
    options = " ".join(f"-c {name}={value}" for name, value in _OUTPUT.items())
    given = {
        "application_name": "stenograph",
        "connect_timeout": "10",
        **{name: str(value) for name, value in facts.items() if value is not None},
        "client_encoding": "UTF8",
        "options": f"{facts.get('options') or ''} {options}".strip(),
        **more,
    }
    try:
        session: Session = psycopg.connect(make_conninfo(**given), autocommit=True, prepare_threshold=None)
    except psycopg.Error as failure:
        raise mapped(failure, dsn) from None
    return session
