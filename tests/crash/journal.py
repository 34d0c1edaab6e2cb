"""A workload that keeps its own record of what it committed: the truth that history is held against.

Looks at neither log nor history while it writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import psycopg

from tests.fix_postgres import Row

SCHEMA = (
    "CREATE TABLE lead (id int PRIMARY KEY, name text NOT NULL, revision int NOT NULL)",
    "CREATE TABLE deal (region text, number int, revision int NOT NULL, note text, PRIMARY KEY (region, number))",
    "ALTER TABLE deal REPLICA IDENTITY FULL",
    "CREATE TABLE visit (page text NOT NULL, revision int NOT NULL)",
)
KEYS: Mapping[str, tuple[str, ...]] = {"lead": ("id",), "deal": ("region", "number"), "visit": ("page",)}
Key = tuple[object, ...]
Change = tuple[str, int | None]
"""Operation and revision; a delete has none, because not every table sends it."""
WHOLE: Key = ()
"""The key under which a table's truncates stand."""
Lives = dict[str, dict[Key, list[Change]]]


@dataclass(slots=True)
class Transaction:
    """The changes of one source transaction, in the order in which they were made."""

    connection: psycopg.Connection[Row]
    revisions: dict[str, int]
    changes: list[tuple[str, Key, Change]] = field(default_factory=list)

    def insert(self, table: str, *key: object) -> None:
        """One row."""
        self._insert(table, key)

    def update(self, table: str, *key: object) -> None:
        """The row's next revision."""
        revision = self._next(table)
        self._run(f"UPDATE {table} SET revision = {revision} WHERE {_where(table)}", *key)
        self._note(table, key, "update", revision)

    def delete(self, table: str, *key: object) -> None:
        """The row goes."""
        self._run(f"DELETE FROM {table} WHERE {_where(table)}", *key)
        self._note(table, key, "delete", None)

    def rekey(self, table: str, old: Key, new: Key) -> None:
        """The row gets another key, which history has as a delete and a create."""
        revision = self._next(table)
        sets = ", ".join(f"{column} = %s" for column in KEYS[table])
        self._run(f"UPDATE {table} SET {sets}, revision = {revision} WHERE {_where(table)}", *new, *old)
        self._note(table, old, "delete", None)
        self._note(table, new, "create", revision)

    def truncate(self, table: str) -> None:
        """All rows go."""
        self._run(f"TRUNCATE {table}")
        self._note(table, WHOLE, "truncate", None)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What is done inside is rolled back to a savepoint."""
        kept = len(self.changes)
        self._run("SAVEPOINT undone")
        yield
        self._run("ROLLBACK TO SAVEPOINT undone")
        del self.changes[kept:]

    def _insert(self, table: str, key: Key) -> None:
        revision = self._next(table)
        values = {
            "lead": "%s, 'n', {}",
            "deal": "%s, %s, {}, repeat('x', 20)",
            "visit": "%s, {}",
        }[table].format(revision)
        self._run(f"INSERT INTO {table} VALUES ({values})", *key)
        self._note(table, key, "create", revision)

    def _next(self, table: str) -> int:
        self.revisions[table] = self.revisions.get(table, 0) + 1
        return self.revisions[table]

    def _note(self, table: str, key: Key, operation: str, revision: int | None) -> None:
        self.changes.append((table, key, (operation, revision)))

    def _run(self, statement: str, *values: object) -> None:
        done = self.connection.execute(statement.encode(), values or None)
        assert done.rowcount in {-1, 0, 1} or statement.startswith("INSERT")


@dataclass(slots=True)
class Journal:
    """Writes transactions and notes what was committed. Close it, or use it as a context."""

    connection: psycopg.Connection[Row]
    lives: Lives = field(default_factory=lambda: {table: {} for table in KEYS})
    _revisions: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commits at the end of the block; then the changes count."""
        made = Transaction(self.connection, self._revisions)
        with self.connection.transaction():
            yield made
        for table, key, change in made.changes:
            self.lives[table].setdefault(key, []).append(change)

    @contextmanager
    def rolled_back(self) -> Iterator[Transaction]:
        """Rolls back at the end of the block: nothing of it may ever be seen (Invariant 7)."""
        with self.connection.transaction(force_rollback=True):
            yield Transaction(self.connection, self._revisions)

    def counts(self) -> dict[str, int]:
        """The number of committed changes per table."""
        return {table: sum(map(len, lives.values())) for table, lives in self.lives.items()}


def _where(table: str) -> str:
    return " AND ".join(f"{column} = %s" for column in KEYS[table])


def before_the_snapshot(journal: Journal) -> None:
    """What is there before anything is captured."""
    with journal.transaction() as change:
        for number in range(1, 9):
            change.insert("lead", 1000 + number)
        for number in range(1, 5):
            change.insert("deal", "old", number)
        change.insert("visit", "/old")
    with journal.transaction() as change:
        change.update("lead", 1001)
        change.delete("lead", 1002)


def tell(journal: Journal) -> None:
    """A small CRM's day in nine transactions: creates, updates, deletes, key changes, truncates and what is undone."""
    with journal.transaction() as change:
        for number in range(1, 13):
            change.insert("lead", number)
    with journal.transaction() as change:
        for number in range(1, 6):
            change.insert("deal", "eu", number)
            change.update("lead", number)
            change.insert("visit", f"/{number}")
    with journal.rolled_back() as change:
        change.update("lead", 1)
        change.truncate("deal")
    with journal.transaction() as change:
        change.delete("lead", 2)
        change.delete("deal", "eu", 2)
        with change.undone():
            change.insert("lead", 99)
            change.update("deal", "eu", 1)
        change.update("lead", 3)
        change.update("lead", 3)
    with journal.transaction() as change:
        change.rekey("lead", (5,), (50,))
        change.rekey("deal", ("eu", 5), ("us", 5))
    with journal.transaction() as change:
        change.truncate("lead")
        for number in range(1, 15):
            change.insert("lead", number)
    with journal.transaction() as change:
        change.insert("visit", "/1")
        change.truncate("visit")
        change.insert("visit", "/last")
    with journal.transaction() as change:
        for number in range(1, 8):
            change.update("lead", number)
        change.delete("lead", 1)
        change.insert("lead", 1)
    with journal.transaction() as change:
        change.update("deal", "us", 5)
        change.update("lead", 14)
