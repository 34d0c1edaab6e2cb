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
from stenograph.sources.postgres.layout import Layout, SeenColumn, SeenMember, SeenTable
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
    """A column. `default` is the expression as SQL text; a generated column, published on demand only, has none."""

    name: str
    type_oid: int
    typmod: int
    not_null: bool
    default: str | None
    generated: bool = False


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
    encoding: str
    wal_end: int


class Catalogue:
    """Questions to one server, each answered as of now on the given connection."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def server(self) -> Server:
        """The server's version (as 180006), settings, the role's rights, and where its WAL ends."""
        version, standby, wal_level, role, may_replicate, database, encoding, wal_end = self._one(
            queries.SERVER
        )
        return Server(version, standby, wal_level, role, may_replicate, database, encoding, lsn_of(wal_end))

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

    def layouts(self, tables: Collection[TableId], publication: str) -> dict[TableId, SeenTable]:
        """Columns and files of those that exist, as the publication sends them. Waits for no lock."""
        rows = self._all(queries.LAYOUTS, [t.schema for t in tables], [t.name for t in tables], publication)
        roots = [oid for _, _, oid, kind, *_ in rows if kind == "p"]
        members: dict[int, list[SeenMember]] = {root: [] for root in roots}
        for root, oid, parent, file, is_born, is_emptied, filled in (
            self._all(queries.MEMBERS, roots) if roots else ()
        ):
            members[root].append(SeenMember(oid, parent, file, is_born, is_emptied, frozenset(filled)))
        enums = {oid: (array, labels) for oid, array, labels in self._all(queries.LABELS)}
        seen = {}
        for schema, name, oid, kind, file, row_filter, *columns in rows:
            used = set(columns[1])
            only = SeenMember(oid, 0, file, is_born=True, is_emptied=False, filled=frozenset())
            seen[TableId(schema, name)] = SeenTable(
                columns=tuple(map(SeenColumn, *columns)),
                members=members[oid] if kind == "p" else [only],
                row_filter=row_filter,
                labels={enum: labels for enum, (array, labels) in enums.items() if used & {enum, array}},
            )
        return seen

    def rewrite(self, seen: SeenTable, before: Layout) -> str | None:
        """What changed the table's rows since without a change that is sent, in words; None if nothing did.

        Raise psycopg's LockNotAvailable if an attached partition is locked now, and nobody can say.
        """
        cause = seen.rewritten_since(before)
        attached = seen.attached_since(before)
        if cause is None and attached:
            with self._session.transaction():
                self._session.execute("SET LOCAL lock_timeout = '200ms'")
                if self._one(queries.HOLD_ROWS, attached)[0]:
                    cause = "a partition was attached that holds rows"
        return cause

    def expected_rows(self, table: PgTable) -> int | None:
        """About how many rows the table has, by the server's statistics; None if it has none."""
        oid = table.signature.oid
        found: int | None = self._one(queries.EXPECTED_ROWS, oid, oid)[0]
        return found

    def near_names(self, schema: str, name: str) -> tuple[str, ...]:
        """Tables of a similar name, the nearest first."""
        return tuple(row[0] for row in self._all(queries.TABLE_NAMES, schema, name))

    def columns(self, oid: int) -> tuple[PgColumn, ...]:
        """The table's columns in order; generated ones only where the server's version can publish them."""
        columns = (PgColumn(*row) for row in self._all(queries.COLUMNS, oid))
        publishes = self._session.info.server_version >= 180000
        return tuple(column for column in columns if publishes or not column.generated)

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
