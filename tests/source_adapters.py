"""The sources that the contract suites of Source and SourceAudit run against.

A new source is one more entry; the suites stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import psycopg
import pytest
from psycopg import sql

from stenograph.events import ChangeEvent, Op, TableId
from stenograph.offsets import Position, parts_of
from stenograph.ports import Source, SourceAudit
from stenograph.sources.postgres.audit import open_audit
from stenograph.sources.postgres.settings import PostgresSettings
from stenograph.sources.postgres.source import open_source
from tests import change_samples
from tests.capturing import ListRegistry, no_rereads
from tests.change_samples import SOURCE, change
from tests.fix_postgres import Database, Row
from tests.scripted_source import Script

LEAD = TableId("public", "lead")
CONTACT = TableId("public", "contact")
TABLES = (LEAD, CONTACT)
"""Both have the columns id, which is the key, and status."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody does to one row. A delete has no status."""

    op: Op
    id: int
    status: str | None
    table: TableId = LEAD


def create(number: int, status: str = "new", *, table: TableId = LEAD) -> Edit:
    return Edit(Op.CREATE, number, status, table)


def update(number: int, status: str, *, table: TableId = LEAD) -> Edit:
    return Edit(Op.UPDATE, number, status, table)


def delete(number: int, *, table: TableId = LEAD) -> Edit:
    return Edit(Op.DELETE, number, None, table)


class OpenTransaction(Protocol):
    """A transaction that somebody else has begun at the source."""

    def apply(self, *edits: Edit) -> None: ...

    def commit(self) -> None: ...

    def roll_back(self) -> None: ...


class SourceAdapter(Protocol):
    """One source under test, with two empty tables. What it opens is closed by whoever asked for it."""

    @property
    def registry(self) -> ListRegistry: ...

    def begin(self) -> OpenTransaction: ...

    def open(self, stored: Position | None) -> Source: ...

    def covers(self, position: Position, order: bytes) -> bool:
        """Whether the position lies after the streamed change of that order."""
        ...


class AuditedAdapter(SourceAdapter, Protocol):
    """A source whose tables can be read at one position."""

    def audit(self, stored: Position | None) -> SourceAudit: ...


@dataclass(slots=True)
class ScriptedAdapter:
    """The source of `tests/scripted_source.py`: a commit appends to its script."""

    registry: ListRegistry = field(default_factory=ListRegistry)
    script: Script = field(init=False)

    def __post_init__(self) -> None:
        self.script = Script(self.registry, [change_samples.LEAD, change_samples.CONTACT], [])

    def begin(self) -> ScriptedTransaction:
        return ScriptedTransaction(self.script)

    def open(self, stored: Position | None) -> Source:
        return self.script.open(stored)

    def covers(self, position: Position, order: bytes) -> bool:
        return parts_of(position.order)[1] >= parts_of(order)[1]


@dataclass(slots=True)
class ScriptedTransaction:
    """Edits that the script does not hold yet."""

    script: Script
    edits: list[Edit] = field(default_factory=list)

    def apply(self, *edits: Edit) -> None:
        self.edits.extend(edits)

    def commit(self) -> None:
        commit = len(self.script.transactions) + 1
        self.script.transactions.append(
            [_scripted(edit, commit, place) for place, edit in enumerate(self.edits, start=1)]
        )

    def roll_back(self) -> None:
        self.edits.clear()


def _scripted(edit: Edit, commit: int, place: int) -> ChangeEvent:
    wire = {LEAD: change_samples.LEAD, CONTACT: change_samples.CONTACT}[edit.table]
    row = change_samples.lead(edit.id, edit.status or "new")
    return change(edit.op, row, commit, table=wire, place=place)


@dataclass(slots=True)
class PostgresAdapter:
    """A database of a real server."""

    database: Database
    exits: ExitStack
    registry: ListRegistry = field(default_factory=ListRegistry)

    def begin(self) -> PostgresTransaction:
        connection = self.exits.enter_context(closing(psycopg.connect(self.database.dsn)))
        return PostgresTransaction(connection)

    def open(self, stored: Position | None) -> Source:
        return open_source(self.database.dsn, self._settings, TABLES, self.registry, stored, no_rereads())

    def covers(self, position: Position, order: bytes) -> bool:
        # A commit's LSN is where its record begins; the position is the end of it or later.
        return parts_of(position.order)[1] > parts_of(order)[1]

    def audit(self, stored: Position | None) -> SourceAudit:
        return open_audit(self.database.dsn, self._settings, TABLES, stored)

    @property
    def _settings(self) -> PostgresSettings:
        return PostgresSettings(
            kind="postgres",
            name=SOURCE,
            dsn="env:UNUSED",
            slot=f"steno_{self.database.name}",
            publication="steno_contract",
        )


_STATEMENTS: Mapping[Op, str] = {
    Op.CREATE: "INSERT INTO {} (id, status) VALUES (%(id)s, %(status)s)",
    Op.UPDATE: "UPDATE {} SET status = %(status)s WHERE id = %(id)s",
    Op.DELETE: "DELETE FROM {} WHERE id = %(id)s",
}


@dataclass(slots=True)
class PostgresTransaction:
    """A transaction of a connection of its own."""

    connection: psycopg.Connection[Row]

    def apply(self, *edits: Edit) -> None:
        for edit in edits:
            table = sql.Identifier(edit.table.schema, edit.table.name)
            statement = sql.SQL(_STATEMENTS[edit.op]).format(table)
            self.connection.execute(statement, {"id": edit.id, "status": edit.status})

    def commit(self) -> None:
        self.connection.commit()
        self.connection.close()

    def roll_back(self) -> None:
        self.connection.rollback()
        self.connection.close()


@contextmanager
def _postgres(request: pytest.FixtureRequest) -> Iterator[PostgresAdapter]:
    database: Database = request.getfixturevalue("database")
    database.execute(
        *(f"CREATE TABLE {table.schema}.{table.name} (id int PRIMARY KEY, status text)" for table in TABLES)
    )
    with ExitStack() as exits:
        yield PostgresAdapter(database, exits)


MakeSource = Callable[[pytest.FixtureRequest], AbstractContextManager[SourceAdapter]]
MakeAudited = Callable[[pytest.FixtureRequest], AbstractContextManager[AuditedAdapter]]

AUDITED: Mapping[str, MakeAudited] = {"postgres": _postgres}
SOURCES: Mapping[str, MakeSource] = {**AUDITED, "scripted": lambda _: nullcontext(ScriptedAdapter())}


def commit(adapter: SourceAdapter, *transactions: Sequence[Edit]) -> None:
    """Commit each of these transactions."""
    for edits in transactions:
        transaction = adapter.begin()
        transaction.apply(*edits)
        transaction.commit()
