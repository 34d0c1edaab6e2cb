"""Reads tables as of one instant: a snapshot that a temporary slot exports, and the LSN it stands for.

One mechanism for the first reading, for tables added later and for tables read again. Decides nothing about the
stream: the rows belong exactly after every commit before `point`. Makes no events of them.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence

import psycopg
from psycopg import sql

from stenograph.sources.postgres.catalogue import Catalogue, PgTable
from stenograph.sources.postgres.compiled import unescaped
from stenograph.sources.postgres.copying import Copying
from stenograph.sources.postgres.failures import mapped
from stenograph.sources.postgres.replication import ReplicationConnection
from stenograph.sources.postgres.session import Session, connect

RawRow = Sequence[bytes | None]
"""A row's values as text, None for null."""
_PATIENCE = 60.0


class SnapshotExport:
    """A snapshot being made: the server answers when every transaction that runs now has ended."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._exporter = ReplicationConnection(dsn)
        self._exporter.ask_for_snapshot(f"steno_read_{secrets.token_hex(8)}")

    def imported(self, until: float) -> Snapshot | None:
        """The snapshot, held by a connection of its own; None while the server has not answered."""
        exported = self._exporter.answer(until)
        if exported is None:
            return None
        assert exported.snapshot is not None
        session = connect(self._dsn)
        try:
            # A table that the application keeps locked is read another time.
            session.execute("SET lock_timeout = '5s'")
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            session.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(exported.snapshot))
            row = session.execute(
                "SELECT (extract(epoch FROM transaction_timestamp()) * 1000000)::bigint"
            ).fetchone()
        except psycopg.Error as failure:
            session.close()
            raise mapped(failure, self._dsn) from failure
        assert row is not None
        # The importer holds the snapshot now; the slot need not hold WAL any longer.
        self._exporter.close()
        return Snapshot(session, self._dsn, exported.consistent_point, row[0])

    def close(self) -> None:
        """Give up; the temporary slot goes with its connection."""
        self._exporter.close()


class Snapshot:
    """Tables as of one instant. `point` is the LSN, `taken_at` the time in µs since 1970 UTC.

    Trap: while it is open, the server cannot clean up rows that were deleted since.
    """

    def __init__(self, session: Session, dsn: str, point: int, taken_at: int) -> None:
        self._session = session
        self._dsn = dsn
        self.point = point
        self.taken_at = taken_at
        self.catalogue = Catalogue(session)

    def holds(self, table: PgTable) -> bool:
        """Whether the snapshot can still read the table's rows; where it can, it can until it is closed.

        Trap: what rewrites a table (ALTER TYPE, TRUNCATE) hides its rows from older snapshots, and says nothing of
        that in the stream. Raises what `mapped` makes of Postgres's errors, and waits for locks as `rows` does.
        """
        lock = sql.SQL("LOCK TABLE {only} {schema}.{table} IN ACCESS SHARE MODE").format(
            only=sql.SQL("" if table.kind == "p" else "ONLY"),
            schema=sql.Identifier(table.id.schema),
            table=sql.Identifier(table.id.name),
        )
        try:
            self._session.execute(lock)
            return self.catalogue.is_as_it_was(table)
        except psycopg.Error as failure:
            raise mapped(failure, self._dsn, table=table.id) from failure

    def rows(self, table: PgTable, columns: Sequence[str], row_filter: str | None) -> Iterator[RawRow]:
        """The values of the rows of `copying`."""
        copying = self.copying(table, columns, row_filter)
        try:
            while not copying.is_over:
                yield from map(values_of, copying.lines(time.monotonic() + _PATIENCE))
        finally:
            copying.close()

    def copying(self, table: PgTable, columns: Sequence[str], row_filter: str | None) -> Copying:
        """The table's rows, of an inherited one its own only; raises what `mapped` makes of Postgres's errors."""
        query = sql.SQL("COPY (SELECT {columns} FROM {only} {schema}.{table} {where}) TO STDOUT").format(
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            only=sql.SQL("" if table.kind == "p" else "ONLY"),
            schema=sql.Identifier(table.id.schema),
            table=sql.Identifier(table.id.name),
            where=sql.SQL("") if row_filter is None else sql.SQL("WHERE ") + sql.SQL(row_filter),
        )
        return Copying(self._session, self._dsn, table.id, query)

    def close(self) -> None:
        """End the transaction; safe to call twice."""
        self._session.close()


def values_of(line: bytes) -> RawRow:
    """A line's values: https://www.postgresql.org/docs/current/sql-copy.html."""
    fields = line[:-1].split(b"\t")
    if b"\\" not in line:
        return fields
    return [None if f == b"\\N" else unescaped(f) if b"\\" in f else f for f in fields]
