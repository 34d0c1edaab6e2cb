"""Reads tables as of one instant: a snapshot that a temporary slot exports, and the LSN it stands for.

One mechanism for the first reading, for tables added later and for tables read again. Decides nothing about the
stream: the rows belong exactly after every commit before `point`.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Generator, Sequence

import psycopg
from psycopg import sql

from stenograph.events import ChangeEvent, Op, Origin, TableId
from stenograph.offsets import order_of
from stenograph.sources.postgres.batch import BatchUnderway
from stenograph.sources.postgres.catalogue import Catalogue, PgTable
from stenograph.sources.postgres.failures import mapped
from stenograph.sources.postgres.replication import ReplicationConnection
from stenograph.sources.postgres.session import Session, connect
from stenograph.sources.postgres.stream import CONNECTOR
from stenograph.sources.postgres.table import CapturedTable

RawRow = Sequence[bytes | None]
"""A row's values as text, None for null."""
RawRows = Generator[RawRow, None, None]
"""A table's rows; closing it ends the COPY."""

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPES = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


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

    def rows(self, table: PgTable, columns: Sequence[str], row_filter: str | None) -> RawRows:
        """The table's rows, of an inherited one its own only; raises what `mapped` makes of Postgres's errors."""
        query = sql.SQL("COPY (SELECT {columns} FROM {only} {schema}.{table} {where}) TO STDOUT").format(
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            only=sql.SQL("" if table.kind == "p" else "ONLY"),
            schema=sql.Identifier(table.id.schema),
            table=sql.Identifier(table.id.name),
            where=sql.SQL("") if row_filter is None else sql.SQL("WHERE ") + sql.SQL(row_filter),
        )
        try:
            with self._session.cursor().copy(query) as copy:
                for data in copy:
                    yield _values(bytes(data))
        except psycopg.Error as failure:
            raise mapped(failure, self._dsn, table=table.id) from failure

    def close(self) -> None:
        """End the transaction; safe to call twice."""
        self._session.close()


class TableReading:
    """One table being read into the log, batch by batch.

    Rows are numbered from 1; the event of number 0, where there is one, says that what history holds of the
    table from before is gone.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        rows: RawRows,
        table: CapturedTable,
        run: int,
        source: str,
        database: str,
    ) -> None:
        self._snapshot = snapshot
        self._rows = rows
        self._table = table
        self._run = run
        self._source = source
        self._database = database
        self._number = 0
        self._next: RawRow | None = None

    @property
    def id(self) -> TableId:
        """The table."""
        return self._table.form.wire.table

    def add_clearing(self, batch: BatchUnderway) -> None:
        """Add the truncate that stands before the rows."""
        event = self._event(Op.TRUNCATE, None, "true")
        batch.add(self._table, event, self._order(0))

    def read(self, batch: BatchUnderway, until: float) -> bool:
        """Add rows until the batch is full or time is up; whether the table is finished."""
        while not batch.is_full:
            row = next(self._rows, None)
            if self._next is not None:
                self._add(self._next, batch, is_last=row is None)
            self._next = row
            if row is None:
                return True
            if self._number % 256 == 0 and time.monotonic() >= until:
                return False
        return False

    def close(self) -> None:
        """Stop reading."""
        self._rows.close()

    def _add(self, row: RawRow, batch: BatchUnderway, *, is_last: bool) -> None:
        self._number += 1
        marker = "last" if is_last else "first" if self._number == 1 else "true"
        batch.add(self._table, self._event(Op.SNAPSHOT, row, marker), self._order(self._number))

    def _order(self, number: int) -> bytes:
        return order_of(self._run, self._snapshot.point, number >> 32, number & 0xFFFFFFFF)

    def _event(self, op: Op, row: RawRow | None, marker: str) -> ChangeEvent:
        form, point = self._table.form, self._snapshot.point
        after = None if row is None else form.row(row)
        return ChangeEvent(
            op=op,
            origin=Origin(
                connector=CONNECTOR,
                source=self._source,
                database=self._database,
                table=form.wire.table,
                committed_at=self._snapshot.taken_at,
                snapshot=marker,
                sequence=f'[null,"{point}"]',
                lsn=point,
            ),
            key=None if after is None else form.key(after),
            before=None,
            after=after,
            observed_at=time.time_ns(),
        )


def _values(line: bytes) -> RawRow:
    """A line of COPY's text format: https://www.postgresql.org/docs/current/sql-copy.html."""
    fields = line[:-1].split(b"\t")
    if b"\\" not in line:
        return fields
    return [None if f == b"\\N" else _ESCAPED.sub(_unescaped, f) if b"\\" in f else f for f in fields]


def _unescaped(found: re.Match[bytes]) -> bytes:
    return _ESCAPES.get(found[1], found[1])
