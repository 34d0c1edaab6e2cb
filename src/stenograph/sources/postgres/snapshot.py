"""Reads tables as of one instant: a snapshot that a temporary slot exports, and the LSN it stands for.

One mechanism for the first reading, for tables added later and for tables read again. Decides nothing about the
stream: the rows belong exactly after every commit before `point`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Iterator, Sequence

import psycopg
from psycopg import sql

from stenograph.events import ChangeEvent, Op, Origin, TableId
from stenograph.offsets import order_of, pack_order
from stenograph.sources.postgres.batch import MAX_BATCH_BYTES, BatchUnderway
from stenograph.sources.postgres.catalogue import Catalogue, PgTable
from stenograph.sources.postgres.changes import CONNECTOR
from stenograph.sources.postgres.compiled import UNSURE, CompiledTable, unescaped
from stenograph.sources.postgres.express import CLOCK_EVERY
from stenograph.sources.postgres.failures import mapped
from stenograph.sources.postgres.replication import ReplicationConnection
from stenograph.sources.postgres.session import Session, connect
from stenograph.sources.postgres.source_block import SourceBlock, clock_bytes
from stenograph.sources.postgres.table import CapturedTable

RawRow = Sequence[bytes | None]
"""A row's values as text, None for null."""
Lines = Generator[bytes, None, None]
"""A table's rows as lines of COPY's text format; closing it ends the COPY."""


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
        """The values of `lines`."""
        return map(values_of, self.lines(table, columns, row_filter))

    def lines(self, table: PgTable, columns: Sequence[str], row_filter: str | None) -> Lines:
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
                    yield bytes(data)
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
        lines: Lines,
        table: CapturedTable,
        run: int,
        source: str,
        database: str,
    ) -> None:
        self._snapshot = snapshot
        self._lines = lines
        self._table = table
        self._encode = CompiledTable(table).line
        self._tail = SourceBlock(table, source, database).outside(
            snapshot.taken_at, "true", f'[null,"{snapshot.point}"]', snapshot.point
        )
        self._run = run
        self._source = source
        self._database = database
        self._number = 0
        self._has_begun = False
        self._line: bytes | None = None
        self._after: bytes | None = None

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
        if not self._has_begun:
            self._has_begun = True
            self._line = next(self._lines, None)
            self._after = next(self._lines, None)
        while self._line is not None and not batch.is_full:
            # The first row and the last are marked: they go through the reference.
            if self._number == 0 or self._after is None or not self._add_between(batch, until):
                self._add(batch)
            if time.monotonic() >= until:
                break
        return self._line is None

    def close(self) -> None:
        """Stop reading."""
        self._lines.close()

    def _add_between(self, batch: BatchUnderway, until: float) -> int:
        """Add rows while the compiled encoder is sure of them and another row follows; how many."""
        room, size = batch.limit - len(batch), batch.size
        add_key, add_value, add_order = batch.keys.append, batch.values.append, batch.orders.append
        run, point, tail = self._run, self._snapshot.point, self._tail
        nanos = time.time_ns()
        taken, now = 0, clock_bytes(nanos)
        line, after = self._line, self._after
        try:
            while line is not None and after is not None and taken < room and size < MAX_BATCH_BYTES:
                try:
                    key, value, _ = self._encode(line, tail, now)
                except UNSURE:
                    break
                number = self._number + taken + 1
                add_key(key)
                add_value(value)
                add_order(pack_order(run, point, number >> 32, number & 0xFFFFFFFF))
                size += len(value)
                taken += 1
                line, after = after, None
                after = next(self._lines, None)
                if taken % CLOCK_EVERY == 0 and time.monotonic() >= until:
                    break
        finally:
            batch.topics.extend([self._table.form.wire.topic] * taken)
            batch.timestamps.extend([nanos // 1_000_000] * taken)
            batch.headers.extend([()] * taken)
            batch.size = size
            self._line, self._after, self._number = line, after, self._number + taken
        return taken

    def _add(self, batch: BatchUnderway) -> None:
        assert self._line is not None
        self._number += 1
        marker = "last" if self._after is None else "first" if self._number == 1 else "true"
        event = self._event(Op.SNAPSHOT, values_of(self._line), marker)
        self._line, self._after = self._after, next(self._lines, None)
        batch.add(self._table, event, self._order(self._number))

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


def values_of(line: bytes) -> RawRow:
    """A line's values: https://www.postgresql.org/docs/current/sql-copy.html."""
    fields = line[:-1].split(b"\t")
    if b"\\" not in line:
        return fields
    return [None if f == b"\\N" else unescaped(f) if b"\\" in f else f for f in fields]
