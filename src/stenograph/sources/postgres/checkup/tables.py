"""Diagnoses of the tables: what capture refuses, and an identity that makes the application's updates fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from stenograph.diagnosis import Diagnosis, fault, ok, warning
from stenograph.errors import SourceRefused
from stenograph.events import TableId
from stenograph.sources.postgres.catalogue import Catalogue, PgTable
from stenograph.sources.postgres.check import check_tables, quoted_table
from stenograph.sources.postgres.checkup.health import Health, Relation, ReplicaIdentity
from stenograph.sources.postgres.replication import quoted


def table_points(
    tables: Sequence[TableId],
    found: Mapping[TableId, PgTable],
    catalogue: Catalogue,
    health: Health,
    role: str,
    publication: str,
) -> Iterator[Diagnosis]:
    """Every trouble of every table; a table without any has one point that says so."""
    oids = [table.signature.oid for table in found.values() if table.kind in ("r", "p")]
    relations, identities = health.relations(oids, publication), health.identities(oids)
    for table in tables:
        points = list(_refusals(table, found, catalogue, role))
        known = found.get(table)
        if known is not None and known.signature.oid in relations:
            points += _identity_points(known, identities.get(known.signature.oid, []))
            points += _relation_points(known, relations[known.signature.oid], role)
        yield from points or [ok(f"table {table}", _sound(found[table]))]


def _sound(table: PgTable) -> str:
    key = ", ".join(table.signature.key)
    return (
        f"It can be read and captured; its key is {key}."
        if key
        else "It can be read and captured, without a key."
    )


def _refusals(
    table: TableId, found: Mapping[TableId, PgTable], catalogue: Catalogue, role: str
) -> Iterator[Diagnosis]:
    known = found.get(table)
    if known is not None and known.kind == "r" and known.signature.key and not _carries_key(known):
        # Told below with what it means to the application.
        known_or_not = {**found, table: _with_default_identity(known)}
    else:
        known_or_not = dict(found)
    try:
        check_tables([table], known_or_not, catalogue, role)
    except SourceRefused as refusal:
        yield fault(f"table {table}", refusal.summary, refusal.hint)


def _identity_points(table: PgTable, identities: Sequence[ReplicaIdentity]) -> Iterator[Diagnosis]:
    for identity in identities:
        point = _identity_point(table, identity)
        if point is not None:
            yield point


def _identity_point(table: PgTable, identity: ReplicaIdentity) -> Diagnosis | None:
    name = f"replica identity of {identity.table}"
    alter = f"ALTER TABLE {quoted_table(identity.table)} REPLICA IDENTITY"
    wanted = f"{alter} {'DEFAULT' if identity.has_key else 'FULL'};"
    match identity.kind:
        case "f":
            return None
        case "d" if identity.has_key:
            return None
        case "i" if identity.has_index and (identity.index_is_key or not table.signature.key):
            if identity.index_is_key:
                return None
            return warning(
                name,
                f"{identity.table} has no primary key, so its history has none either; updates carry a unique index.",
                wanted,
            )
        case "i" if identity.has_index:
            return fault(
                name,
                f"Updates of {identity.table} carry another index's columns, not its primary key: a changed key would"
                " come without the old one, and capture refuses the table.",
                wanted,
            )
        case _:
            return fault(
                name,
                f"{identity.table} has nothing that tells its rows apart: while it is in the publication, the"
                " application's own UPDATE and DELETE of it fail.",
                wanted,
            )


def _relation_points(table: PgTable, relation: Relation, role: str) -> Iterator[Diagnosis]:
    name, sql = f"table {table.id}", quoted_table(table.id)
    if relation.persistence == "u":
        yield fault(
            name,
            f"{table.id} is unlogged: its changes are in no WAL, and a publication does not take it.",
            f"ALTER TABLE {sql} SET LOGGED;",
        )
    elif relation.persistence == "t":
        yield fault(
            name,
            f"{table.id} is a temporary table, whose changes no log records.",
            "Name a lasting table in the pipeline file instead.",
        )
    if relation.row_security:
        yield fault(
            name,
            f"Row security hides rows of {table.id} from the role {role}: reading the table would miss them.",
            f"ALTER ROLE {quoted(role)} BYPASSRLS; -- as a superuser",
        )
    if relation.generated:
        yield warning(
            name,
            f"Generated columns of {table.id} are not captured: {', '.join(relation.generated)}.",
        )
    if relation.locked_by is not None:
        yield warning(
            name,
            f"{table.id} is locked by process {relation.locked_by} against all others; reading it waits.",
            f"SELECT pg_terminate_backend({relation.locked_by});",
        )


def _carries_key(table: PgTable) -> bool:
    return table.identity in ("d", "f") or (table.identity == "i" and table.identity_is_key)


def _with_default_identity(table: PgTable) -> PgTable:
    return PgTable(
        table.id, table.signature, table.kind, "d", table.identity_is_key, table.readable, table.owned
    )
