"""What Postgres's errors mean here: one function from an error to ours, with the next step.

Never repeats a password: messages are cleaned of it, and the connection's own text is quoted only then.
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict

from stenograph.errors import SourceHistoryLost, SourceRefused, SourceUnavailable, StenographError

_ANSWERS = (
    (
        r"password authentication failed|no password supplied|authentication failed",
        "Postgres does not accept the user's password.",
        "Check the user and the password that the pipeline's `dsn` refers to.",
    ),
    (
        r'role ".*" does not exist',
        "Postgres does not know the user.",
        "Check the user in the pipeline's `dsn`, or create it: CREATE ROLE <user> LOGIN REPLICATION PASSWORD '...';",
    ),
    (
        r'database ".*" does not exist',
        "The server has no database of that name.",
        "Check the database in the pipeline's `dsn`; `psql -l` lists those that exist.",
    ),
    (
        r"no pg_hba.conf entry|pg_hba.conf rejects",
        "The server's pg_hba.conf does not admit this connection.",
        "Add a line for this user, database and address to pg_hba.conf, then: SELECT pg_reload_conf();",
    ),
    (
        r"permission denied for database|must be superuser or replication role|REPLICATION attribute",
        "The role may not replicate.",
        "As a superuser: ALTER ROLE <user> REPLICATION;",
    ),
)
"""Refusals of a connection, which come as text without SQLSTATE."""


_PASSING = frozenset({"08", "40", "53", "57", "58", "XX"})
"""Classes of errors that may be gone the next time: connection, rollback, resources, intervention, system."""


def mapped(failure: psycopg.Error, dsn: str, **facts: object) -> StenographError:
    """Our error for Postgres's; the server's own words are a fact of it."""
    said = words(failure, dsn)
    facts = {**place(dsn), **facts, "server": said}
    for pattern, summary, hint in _ANSWERS:
        if re.search(pattern, said):
            return SourceRefused(summary, hint=hint, **facts)
    match failure.sqlstate:
        case "55006":
            return SourceRefused(
                "The replication slot is in use by another process.",
                hint="Stop the other capture; SELECT slot_name, active_pid FROM pg_replication_slots; names it.",
                **facts,
            )
        case "55000":
            return SourceHistoryLost(
                "The replication slot no longer holds the changes that we need.",
                hint="Read the tables anew with `steno capture --anew`; raise max_slot_wal_keep_size.",
                **facts,
            )
        case "53400":
            return SourceRefused(
                "The server has no free replication slot or sender.",
                hint="Drop a slot that nobody needs, or raise it and restart the server: "
                "ALTER SYSTEM SET max_replication_slots = 20;",
                **facts,
            )
        case "42501":
            return SourceRefused(
                "The role lacks a privilege that capture needs.",
                hint="Grant what the server's message names, as the owner or a superuser.",
                **facts,
            )
        case "42704" | "42P01" | "42703" | "42710":
            return SourceRefused(
                "Postgres does not have an object that capture needs, or has it already.",
                hint="Look at the server's message; `steno check` names the tables and names in use.",
                **facts,
            )
        case str() as state if state[:2] not in _PASSING and state != "55P03":
            return SourceRefused(
                "Postgres refused a statement.",
                hint="Look at the server's message; if it makes no sense, it is a fault of ours to be reported.",
                sqlstate=state,
                **facts,
            )
        case _:
            return SourceUnavailable(
                "Postgres does not answer, or broke off.",
                hint="Check that the server runs and that its address is the one in the pipeline's `dsn`.",
                **facts,
            )


def words(failure: psycopg.Error, dsn: str) -> str:
    """What the server or the client library said, on one line and without the password."""
    text = failure.diag.message_primary or str(failure)
    text = " ".join(text.split())
    password = _facts(dsn).get("password")
    return text.replace(str(password), "***") if password else text


def place(dsn: str) -> dict[str, object]:
    """Host, port, database and user: what may be printed of a DSN."""
    known = _facts(dsn)
    return {name: known[key] for name, key in _PLACE if known.get(key)}


_PLACE = (("host", "host"), ("port", "port"), ("database", "dbname"), ("user", "user"))


def _facts(dsn: str) -> dict[str, object]:
    try:
        return dict(conninfo_to_dict(dsn))
    except psycopg.ProgrammingError:
        return {}


@contextmanager
def mapped_errors(dsn: str) -> Iterator[None]:
    """Raise what `mapped` makes of Postgres's errors."""
    try:
        yield
    except psycopg.Error as failure:
        raise mapped(failure, dsn) from failure
