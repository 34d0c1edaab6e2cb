"""Captures from Postgres: starts or resumes a run, streams, and reads tables in between.

Stores nothing: the log keeps the position, and only what it has stored is confirmed to the server (Invariant 1).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

from stenograph.events import TableId
from stenograph.offsets import Position, parts_of
from stenograph.ports import EncodedBatch, ReadProgress, Rereads, SchemaRegistry, Start
from stenograph.sources.postgres.batch import BatchUnderway
from stenograph.sources.postgres.catalogue import Catalogue, Signature
from stenograph.sources.postgres.check import check_server, check_tables
from stenograph.sources.postgres.continuity import Continuity
from stenograph.sources.postgres.failures import mapped_errors
from stenograph.sources.postgres.gaps import GapBatches
from stenograph.sources.postgres.opening import Opening, opening
from stenograph.sources.postgres.position import Loss, Phase, ResumePoint, resume_point
from stenograph.sources.postgres.publication import check_publication, publish
from stenograph.sources.postgres.reading import EXPORT_SECONDS, TablesReading
from stenograph.sources.postgres.replication import ReplicationConnection
from stenograph.sources.postgres.session import Session, connect
from stenograph.sources.postgres.settings import PostgresSettings
from stenograph.sources.postgres.slot import drop_slot, history_lost
from stenograph.sources.postgres.stream import MARK, ChangeStream
from stenograph.sources.postgres.table import CapturedTables
from stenograph.sources.postgres.watch import Rewrite, TableWatch

IDLE_SECONDS = 10.0
IDLE_BYTES = 16 * 1024 * 1024
"""After so much time, or WAL, without a change of ours the position moves, so that the server can let go of WAL."""
_SOON = 0.05


def open_source(
    dsn: str,
    settings: PostgresSettings,
    tables: Sequence[TableId],
    registry: SchemaRegistry,
    stored: Position | None,
    rereads: Rereads,
    *,
    start: Start = Start.RESUME,
) -> PostgresSource:
    """The source at the stored position, every condition of server, role and tables checked.

    Raise ConfigurationError, SourceUnavailable, SourceRefused or SourceRewound. Changes that the server no longer
    has are reported by `poll`: first as a gap record for the log, then as SourceHistoryLost.
    Trap: Start.ANEW begins a new run each time, so it is for the first opening only.
    """
    with ExitStack() as exits:
        session = exits.enter_context(connect(dsn))
        with mapped_errors(dsn):
            catalogue = Catalogue(session)
            server = catalogue.server()
            check_server(server)
            found = catalogue.tables(tables)
            check_tables(tables, found, catalogue, server.role)
            check_publication(catalogue, settings.publication_name, found.values())
            connection = ReplicationConnection(dsn)
            exits.callback(connection.close)
            known = None if stored is None else resume_point(stored)
            begun = opening(
                start, known, connection.identify(), server, settings.slot_name, tables, catalogue
            )
            watch = TableWatch(session, dsn, settings.publication_name, tables, rereads)
            source = PostgresSource(
                dsn, settings, tables, registry, session, connection, server.database, begun, watch
            )
        exits.pop_all()
    return source


class PostgresSource:
    """The Source of one database.

    A run begins with a position that only announces it, so that the log knows of the slot before it exists.
    """

    def __init__(
        self,
        dsn: str,
        settings: PostgresSettings,
        tables: Sequence[TableId],
        registry: SchemaRegistry,
        session: Session,
        connection: ReplicationConnection,
        database: str,
        begun: Opening,
        watch: TableWatch,
    ) -> None:
        self._dsn = dsn
        self._settings = settings
        self._tables = tuple(tables)
        self._captured = CapturedTables(registry)
        self._gaps = GapBatches(settings.name, database, registry)
        self._watch = watch
        self._session = session
        self._catalogue = Catalogue(session)
        self._connection = connection
        self._database = database
        self._resume = begun.resume
        self._confirmed = begun.confirmed
        self._loss: Loss | None = begun.loss
        self._is_announced = begun.is_stored
        self._has_asked_for_slot = False
        self._lost_slot: Loss | None = None
        self._stream: ChangeStream | None = None
        self._reading: TablesReading | None = None
        self._intent: dict[TableId, Signature] = {}
        self._rewrites: dict[TableId, Rewrite] = {}
        self._must_move = False
        self._moved_at = time.monotonic()

    def poll(self, limit: int, wait: timedelta) -> EncodedBatch:
        """At most about `limit` changes of one lane; see the port. Never holds a whole transaction."""
        until = time.monotonic() + wait.total_seconds()
        with mapped_errors(self._dsn):
            match self._resume.phase:
                case Phase.STARTING:
                    return self._begin_run(until)
                case Phase.STREAMING if self._lost_slot is not None:
                    raise history_lost(self._lost_slot, self._resume.slot)
                case Phase.STREAMING if self._loss is not None:
                    self._lost_slot, self._loss = self._loss, None
                    return self._gaps.lost(self._lost_slot, self._resume)
                case _:
                    return self._go_on(limit, until)

    def acknowledge(self, upto: Position) -> None:
        """Confirm to the server what the log holds (Invariant 1)."""
        _, lsn, _, _ = parts_of(upto.order)
        self._is_announced = True
        if self._stream is not None:
            self._connection.confirm(lsn)
        if self._intent and self._reading is None and resume_point(upto) == self._resume:
            with mapped_errors(self._dsn):
                floor = self._catalogue.server().wal_end
            self._reading = TablesReading(
                self._dsn,
                floor,
                sorted(self._intent),
                self._captured,
                self._settings.publication_name,
                self._settings.name,
                self._database,
            )
            self._intent = {}

    def keep_alive(self) -> None:
        """Tell the server that we are here; confirms nothing."""
        if self._stream is not None:
            self._connection.keep_alive()

    def reading(self) -> ReadProgress | None:
        """The table that is being read now."""
        return None if self._reading is None else self._reading.progress()

    def close(self) -> None:
        """Let go of all connections; safe to call twice and after an error."""
        if self._reading is not None:
            self._reading.close()
        self._connection.close()
        self._session.close()

    def _begin_run(self, until: float) -> EncodedBatch:
        if not self._is_announced:
            return self._empty(self._resume.position())
        if not self._has_asked_for_slot:
            # The publication comes first: a slot older than its publication does not work.
            found = self._catalogue.tables(self._tables)
            if not publish(self._session, self._dsn, self._settings.publication_name, self._tables, found):
                return self._empty(None)
            # Nothing was streamed from a slot of this run, so one that is there holds nothing that we need.
            drop_slot(self._session, self._dsn, self._resume.slot)
            self._connection.ask_for_slot(self._resume.slot)
            self._has_asked_for_slot = True
        created = self._connection.answer(until)
        if created is None:
            return self._empty(None)
        self._resume = replace(self._resume, phase=Phase.STREAMING, lsn=created.consistent_point, loss=None)
        self._start_stream()
        upto = self._resume.position()
        if self._loss is None:
            return self._empty(upto)
        loss, self._loss = replace(self._loss, until=created.consistent_point), None
        return self._gaps.lost(loss, self._resume)

    def _start_stream(self) -> ChangeStream:
        # From where the slot stands, not from where we stand: what lies between tells whether the server is the same.
        confirmed = self._resume.lsn if self._confirmed is None else self._confirmed
        self._connection.start(self._resume.slot, self._settings.publication_name, confirmed)
        self._stream = ChangeStream(
            self._connection,
            self._catalogue,
            self._captured,
            self._settings.name,
            self._database,
            self._tables,
            self._resume,
            Continuity(confirmed, self._resume),
        )
        return self._stream

    def _go_on(self, limit: int, until: float) -> EncodedBatch:
        stream = self._stream or self._start_stream()
        if not stream.is_continuous:
            if stream.recall(until):
                self._connection.confirm(self._resume.lsn)
            return self._empty(None)
        self._look_at_tables(stream)
        if not stream.in_transaction and (incident := self._incident(stream)) is not None:
            return incident
        if (self._intent or self._must_move) and not stream.in_transaction:
            return self._moved(stream, BatchUnderway(self._settings.name, self._stream_lane, limit))
        stop_before = None
        if self._reading is not None:
            stop_before = self._reading.stop_before
            if stream.sent >= stop_before and not stream.in_transaction:
                return self._read_tables(self._reading, stream, limit, until)
        batch = BatchUnderway(self._settings.name, self._stream_lane, limit)
        began_inside = stream.in_transaction
        stream.read(batch, until, stop_before)
        # Far behind, every batch ends inside a transaction: the commits in it move the position all the same. A commit
        # may also come alone, after the last of its changes.
        has_moved = stream.sent > self._resume.lsn and (began_inside or len(batch) > 0)
        if has_moved or (not stream.in_transaction and (len(batch) or self._should_move(stream))):
            return self._moved(stream, batch)
        return batch.finished(None)

    def _should_move(self, stream: ChangeStream) -> bool:
        ahead = stream.sent - self._resume.lsn
        if ahead <= 0:
            stream.saw_mark = stream.was_asked = False
            return False
        return (
            stream.saw_mark
            or stream.was_asked
            or ahead >= IDLE_BYTES
            or time.monotonic() - self._moved_at >= IDLE_SECONDS
        )

    def _moved(self, stream: ChangeStream, batch: BatchUnderway) -> EncodedBatch:
        self._note_missed(stream)
        self._move_to(stream, self._resume)
        return batch.finished(self._resume.position())

    def _move_to(self, stream: ChangeStream, resume: ResumePoint) -> None:
        stream.saw_mark = stream.was_asked = self._must_move = False
        self._moved_at = time.monotonic()
        self._resume = replace(
            resume,
            # Invariant 8: a position never moves backward.
            lsn=max(resume.lsn, stream.sent),
            last_commit=stream.last_commit,
            last_committed_at=stream.last_committed_at,
        )
        stream.use(self._resume.tables)

    def _note_missed(self, stream: ChangeStream) -> None:
        if stream.missed:
            self._unread(stream, stream.missed)
            stream.missed.clear()

    def _unread(self, stream: ChangeStream, tables: Collection[TableId]) -> None:
        self._resume = self._resume.unread(tables)
        stream.use(self._resume.tables)

    def _look_at_tables(self, stream: ChangeStream) -> None:
        if self._reading is not None or self._intent or self._must_move or self._rewrites:
            return
        if stream.saw_new_shape:
            stream.saw_new_shape = False
            self._watch.hurry()
        if not (self._watch.is_due_soon() if stream.saw_other_table else self._watch.is_due()):
            return
        stream.saw_other_table = False
        self._note_missed(stream)
        seen = self._watch.look(self._resume)
        self._resume, self._must_move = seen.resume, seen.must_move
        self._intent, self._rewrites = dict(seen.intent), dict(seen.rewrites)
        stream.use(self._resume.tables)

    def _incident(self, stream: ChangeStream) -> EncodedBatch | None:
        """What has to be recorded of one table: that it is stale, or that it has been read since."""
        if self._rewrites:
            table, rewrite = self._rewrites.popitem()
            mark = replace(self._resume.tables[table], stale=rewrite.stale, layout=rewrite.layout)
            self._move_to(stream, self._resume.with_mark(table, mark))
            self._watch.look_from(float("-inf"))
            return self._gaps.stale(table, rewrite.stale, self._resume)
        for table, mark in self._resume.tables.items():
            if mark.is_mended:
                self._move_to(stream, self._resume.with_mark(table, replace(mark, stale=None)))
                return self._gaps.mended(table, mark, self._resume)
        return None

    def _read_tables(
        self, reading: TablesReading, stream: ChangeStream, limit: int, until: float
    ) -> EncodedBatch:
        self._connection.keep_alive()
        if not reading.has_snapshot(until):
            if reading.waits_too_long:
                self._stop_reading(time.monotonic() + EXPORT_SECONDS)
            return self._empty(None)
        if stream.sent < reading.stop_before:
            self._connection.ask_for_keepalive()
            return self._empty(None)
        table = reading.current
        attempt = self._resume.tables[table].attempt
        lane = f"{self._settings.name}/snapshot/{self._resume.run}/{table}/{attempt}"
        batch = BatchUnderway(self._settings.name, lane, limit)
        read = reading.read(batch, self._resume, max(until, time.monotonic() + _SOON))
        if read is None:
            return batch.finished(None)
        self._resume = read
        stream.use(read.tables)
        if reading.is_done:
            self._stop_reading(float("-inf"))
        return self._moved(stream, batch)

    def _stop_reading(self, looked_at: float) -> None:
        assert self._reading is not None
        self._reading.close()
        self._reading = None
        self._watch.look_from(looked_at)

    def _empty(self, upto: Position | None) -> EncodedBatch:
        return EncodedBatch(source=self._settings.name, lane=self._stream_lane, upto=upto)

    @property
    def _stream_lane(self) -> str:
        return f"{self._settings.name}/stream/{self._resume.system}-{self._resume.timeline}"


__all__ = ["MARK", "PostgresSource", "open_source"]
