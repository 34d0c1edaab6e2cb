"""What Postgres's catalogue says of tables, types, publications and slots, as values.

Asks only: whatever changes the server stands in `publication` and `slot`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stenograph.events import TableId
from stenograph.sources.postgres import queries
from stenograph.sources.postgres.lsn import lsn_of
from stenograph.sources.postgres.session import Session


class TypeKind(StrEnum):
    """How a type is built."""

    BASE = "base"
    """Built in: its name says what it is."""
    DOMAIN = "domain"
    ENUM = "enum"
    ARRAY = "array"
    OTHER = "other"
    """Composite, range, or an extension's: only its text is known."""


@dataclass(frozen=True, slots=True)
class PgType:
    """A type. `base` is a domain's base type or an array's element type, else 0."""

    name: str
    kind: TypeKind
    base: int
    base_typmod: int
    delimiter: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PgColumn:
    """A column that is published. `default` is the expression as SQL text."""

    name: str
    type_oid: int
    typmod: int
    not_null: bool
    default: str | None


@dataclass(frozen=True, slots=True)
class Signature:
    """What makes a table the same table: its oid, and its primary key's columns in the key's order."""

    oid: int
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PgTable:
    """A table. `kind` and `identity` are pg_class's relkind and relreplident."""

    id: TableId
    signature: Signature
    kind: str
    identity: str
    identity_is_key: bool
    readable: bool
    owned: bool


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication: what it leaves out, and whether it speaks of partitions by their root."""

    all_operations: bool
    via_root: bool
    owned: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot. `confirmed` is None until it has a consistent point."""

    plugin: str | None
    database: str | None
    active_pid: int | None
    lost: bool
    confirmed: int | None


@dataclass(frozen=True, slots=True)
class Server:
    """The server's state that capture depends on."""

    version: int
    standby: bool
    wal_level: str
    role: str
    may_replicate: bool
    database: str
    wal_end: int


class Catalogue:
    """Questions to one server, each answered as of now on the given connection."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def server(self) -> Server:
        """The server's version (as 180006), settings, the role's rights, and where its WAL ends."""
        version, standby, wal_level, role, may_replicate, database, wal_end = self._one(queries.SERVER)
        return Server(version, standby, wal_level, role, may_replicate, database, lsn_of(wal_end))

    def tables(self, tables: Collection[TableId]) -> dict[TableId, PgTable]:
        """Those of the named relations that exist."""
        rows = self._all(queries.TABLES, [t.schema for t in tables], [t.name for t in tables])
        return {
            TableId(schema, name): PgTable(TableId(schema, name), Signature(oid, tuple(key)), *rest)
            for schema, name, oid, key, *rest in rows
        }

    def signatures(self, tables: Collection[TableId], publication: str) -> dict[TableId, Signature]:
        """The signatures of those that exist and are in the publication: one cheap query."""
        rows = self._all(
            queries.SIGNATURES, publication, [t.schema for t in tables], [t.name for t in tables]
        )
        return {TableId(schema, name): Signature(oid, tuple(key)) for schema, name, oid, key in rows}

    def near_names(self, schema: str, name: str) -> tuple[str, ...]:
        """Tables of a similar name, the nearest first."""
        return tuple(row[0] for row in self._all(queries.TABLE_NAMES, schema, name))

    def columns(self, oid: int) -> tuple[PgColumn, ...]:
        """The table's columns in order, without generated ones."""
        return tuple(PgColumn(*row) for row in self._all(queries.COLUMNS, oid))

    def published(self, publication: str, table: TableId) -> tuple[frozenset[str] | None, str | None]:
        """The columns that the publication sends of the table (None for all), and its row filter as SQL text."""
        if self._session.info.server_version < 150000:
            return None, None
        rows = self._all(queries.PUBLISHED_TABLE, publication, table.schema, table.name)
        if not rows:
            return None, None
        names, row_filter = rows[0]
        return None if names is None else frozenset(names), row_filter

    def is_as_it_was(self, table: PgTable) -> bool:
        """Whether the table's files are still those of the snapshot of the session's transaction."""
        oid = table.signature.oid
        return bool(self._one(queries.IS_AS_IT_WAS, oid, oid)[0])

    def types(self, oids: Collection[int]) -> Mapping[int, PgType]:
        """The types, with those that they are made of."""
        known: dict[int, PgType] = {}
        wanted = set(oids)
        while wanted:
            rows = self._all(queries.TYPES, list(wanted))
            found = {oid: _type(*rest) for oid, *rest in rows}
            known |= found
            wanted = {t.base for t in found.values() if t.base} - known.keys()
        return known

    def publication(self, name: str) -> Publication | None:
        """The publication, or None."""
        rows = self._all(queries.PUBLICATION, name)
        return Publication(*rows[0]) if rows else None

    def slot(self, name: str) -> Slot | None:
        """The slot, or None."""
        rows = self._all(queries.SLOT, name)
        if not rows:
            return None
        plugin, database, active_pid, lost, confirmed = rows[0]
        return Slot(plugin, database, active_pid, lost, None if confirmed is None else lsn_of(confirmed))

    def _one(self, query: str, *values: object) -> tuple[Any, ...]:
        return self._all(query, *values)[0]

    def _all(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        return self._session.execute(query.encode(), values).fetchall()


def _type(
    name: str, schema: str, typtype: str, base: int, typmod: int, delimiter: str, labels: list[str]
) -> PgType:
    match typtype:
        case "d":
            kind = TypeKind.DOMAIN
        case "e":
            kind = TypeKind.ENUM
        case "b" if base:
            kind = TypeKind.ARRAY
        case "b" if schema == "pg_catalog":
            kind = TypeKind.BASE
        case _:
            kind = TypeKind.OTHER
    return PgType(name, kind, base, typmod, delimiter, tuple(labels))
