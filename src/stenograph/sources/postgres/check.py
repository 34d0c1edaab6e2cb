"""What must be true of a server, a role and its tables before capture starts; each refusal says what to type.

Changes nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from psycopg import sql

from stenograph.errors import SourceRefused
from stenograph.events import TableId
from stenograph.sources.postgres.catalogue import Catalogue, PgTable, Server

OLDEST = 140000
_KINDS = {"v": "a view", "m": "a materialized view", "S": "a sequence", "f": "a foreign table"}


def check_server(server: Server) -> None:
    """Raise SourceRefused if the server or the role cannot serve logical replication."""
    if server.version < OLDEST:
        raise SourceRefused(
            "The server is older than Postgres 14.",
            hint="Upgrade it; 14 is the oldest version that sends all that capture needs.",
            version=server.version,
        )
    if server.standby:
        raise SourceRefused(
            "The server is a standby: a publication cannot be made and snapshots cannot be exported there.",
            hint="Let the pipeline's `dsn` name the primary; SELECT pg_is_in_recovery(); is false there.",
        )
    if server.wal_level != "logical":
        raise SourceRefused(
            "The server does not write what logical replication needs.",
            hint="ALTER SYSTEM SET wal_level = 'logical'; then restart the server.",
            wal_level=server.wal_level,
        )
    if not server.may_replicate:
        raise SourceRefused(
            "The role may not replicate.",
            hint=f"As a superuser: ALTER ROLE {_quoted(server.role)} REPLICATION;",
            role=server.role,
        )
    if server.encoding == "SQL_ASCII":
        raise SourceRefused(
            "The database does not know the encoding of its texts (SQL_ASCII), so nobody can read them for certain.",
            hint="Dump it, and restore it into a database with an encoding: CREATE DATABASE <name> ENCODING 'UTF8' "
            "TEMPLATE template0;",
            database=server.database,
        )


def check_tables(
    wanted: Sequence[TableId], found: Mapping[TableId, PgTable], catalogue: Catalogue, role: str
) -> None:
    """Raise SourceRefused for tables that do not exist, are none, or cannot be read or captured."""
    missing = [table for table in wanted if table not in found]
    if missing:
        raise SourceRefused(
            f"{_tables(missing)} not exist in this database.",
            hint=_suggestions(missing, catalogue),
            tables=_listed(missing),
        )
    for table in wanted:
        _check_table(found[table])
    unreadable = [table for table in wanted if not found[table].readable]
    if unreadable:
        grants = " ".join(
            f"GRANT USAGE ON SCHEMA {_quoted(t.schema)} TO {_quoted(role)}; "
            f"GRANT SELECT ON {quoted_table(t)} TO {_quoted(role)};"
            for t in unreadable
        )
        raise SourceRefused(
            "The role may not read every table of the pipeline.",
            hint=f"As their owner: {grants}",
            role=role,
            tables=_listed(unreadable),
        )


def _check_table(table: PgTable) -> None:
    if table.kind not in ("r", "p"):
        raise SourceRefused(
            f"{table.id} is {_KINDS.get(table.kind, 'no table')}, whose changes no log records.",
            hint="Name the tables that it is made of in the pipeline file instead.",
            table=table.id,
        )
    # With such an identity a key change comes without the old key, or the application's update fails.
    if table.signature.key and (
        table.identity == "n" or (table.identity == "i" and not table.identity_is_key)
    ):
        raise SourceRefused(
            f"Updates of {table.id} do not carry its primary key.",
            hint=f"ALTER TABLE {quoted_table(table.id)} REPLICA IDENTITY DEFAULT;",
            table=table.id,
        )


def quoted_table(table: TableId) -> str:
    """The table's name as SQL."""
    return f"{_quoted(table.schema)}.{_quoted(table.name)}"


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)


def _tables(tables: Sequence[TableId]) -> str:
    return f"Table {tables[0]} does" if len(tables) == 1 else f"{len(tables)} tables do"


def _listed(tables: Sequence[TableId]) -> str:
    return ", ".join(map(str, tables))


def _suggestions(missing: Sequence[TableId], catalogue: Catalogue) -> str:
    near = {}
    for table in missing:
        known = catalogue.near_names(table.schema, table.name)
        found = difflib.get_close_matches(str(table), known, n=1, cutoff=0.6)
        if found:
            near[table] = found[0]
    if not near:
        return "Correct the names under `tables` in the pipeline file, or create the tables."
    meant = "; ".join(f"{table}: did you mean {name}?" for table, name in near.items())
    return f"Correct the names under `tables` in the pipeline file. {meant}"
