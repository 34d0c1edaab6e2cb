"""Reads the source's tables at one position, to be compared with history.

Writes nothing but a mark into the WAL, so that an idle capture moves its position past the audit's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

import psycopg
import pyarrow as pa

from stenograph.envelope.fit import Fit
from stenograph.envelope.headers import Unheld
from stenograph.envelope.mapping import RowMapping
from stenograph.errors import SourceUnavailable, ValueOutOfRange
from stenograph.events import TableId
from stenograph.history import arrow_type
from stenograph.offsets import Position, order_of
from stenograph.schemas import TablePlan, TableShape
from stenograph.sources.postgres.catalogue import Catalogue
from stenograph.sources.postgres.failures import mapped
from stenograph.sources.postgres.layout import SeenTable
from stenograph.sources.postgres.lsn import lsn_text
from stenograph.sources.postgres.messages import Begin, Delete, Insert, Relation, Truncate, Update, decoded
from stenograph.sources.postgres.position import Phase, Reading, TableMark, resume_point
from stenograph.sources.postgres.session import Session, connect
from stenograph.sources.postgres.settings import PostgresSettings
from stenograph.sources.postgres.snapshot import Snapshot, SnapshotExport
from stenograph.sources.postgres.stream import MARK
from stenograph.sources.postgres.table import form_of_table

EXPORT_SECONDS = 60.0
_CHUNK_ROWS = 10_000
_PEEKED = 10_000


def open_audit(
    dsn: str, settings: PostgresSettings, tables: Sequence[TableId], stored: Position | None
) -> PostgresAudit:
    """The tables as of now. Raise SourceUnavailable if a transaction keeps the server from making a snapshot."""
    with ExitStack() as exits:
        session = exits.enter_context(connect(dsn))
        export = SnapshotExport(dsn)
        exits.callback(export.close)
        snapshot = export.imported(time.monotonic() + EXPORT_SECONDS)
        if snapshot is None:
            raise SourceUnavailable(
                "The server could not make a snapshot in time: it waits for transactions that are running.",
                hint="End them, or try again: SELECT pid, xact_start, query FROM pg_stat_activity "
                "WHERE backend_xid IS NOT NULL;",
                waited_seconds=EXPORT_SECONDS,
            )
        exits.callback(snapshot.close)
        try:
            session.execute("SELECT pg_logical_emit_message(true, %s, '')", [MARK])
        except psycopg.Error as failure:
            raise mapped(failure, dsn) from failure
        exits.pop_all()
    return PostgresAudit(dsn, settings, tables, stored, session, snapshot)


class PostgresAudit:
    """The SourceAudit of one database. Trap: while it is open, the server keeps the rows deleted since."""

    def __init__(
        self,
        dsn: str,
        settings: PostgresSettings,
        tables: Sequence[TableId],
        stored: Position | None,
        session: Session,
        snapshot: Snapshot,
    ) -> None:
        self._dsn = dsn
        self._settings = settings
        self._tables = tuple(tables)
        self._session = session
        self._snapshot = snapshot
        self._run = 0 if stored is None else resume_point(stored).run

    def position(self) -> bytes:
        """The order of the snapshot's instant, in the run of the stored position."""
        return order_of(self._run, self._snapshot.point, 0, 0)

    def reached(self, stored: Position | None) -> bool:
        """Whether the log holds every change before it: by its position, or because none is waiting in the slot."""
        if stored is None:
            return False
        if stored.order >= self.position():
            return True
        resume = resume_point(stored)
        if resume.phase is Phase.STARTING:
            return False
        slot = Catalogue(self._session).slot(resume.slot)
        return slot is not None and slot.active_pid is None and self._nothing_waits(resume.slot)

    def unchecked(self, stored: Position | None) -> Mapping[TableId, str]:
        """Tables that cannot be compared, each with the reason."""
        marks = {} if stored is None else resume_point(stored).tables
        layouts = self._snapshot.catalogue.layouts(self._tables, self._settings.publication_name)
        now = Catalogue(self._session).signatures(self._tables, self._settings.publication_name)
        reasons: dict[TableId, str] = {}
        for table in self._tables:
            mark = marks.get(table)
            if mark is None or mark.reading is not Reading.READ:
                reasons[table] = "it is being read, or not read yet"
            elif table not in now:
                reasons[table] = "it does not exist, or is not in the publication"
            elif now[table] != mark.signature:
                reasons[table] = "it was made again or its primary key changed, and it waits to be read"
            elif mark.at > self._snapshot.point:
                reasons[table] = "it was read after the position that is compared"
            elif not self._is_readable(table):
                reasons[table] = "it was rewritten after the position that is compared"
            elif (stale := self._stale(mark, layouts.get(table))) is not None:
                reasons[table] = stale
        return reasons

    def rows(self, plan: TablePlan, shape: TableShape) -> Iterator[pa.Table]:
        """The table's rows mapped as the sink maps them.

        A row with a value that history cannot hold has only its key, as its record is in quarantine there; one whose
        key history cannot hold is left out.
        """
        table = self._snapshot.catalogue.tables([plan.table])[plan.table]
        key = table.signature.key
        sent, row_filter = self._snapshot.catalogue.published(self._settings.publication_name, plan.table)
        form = form_of_table(
            plan.table, table.signature.oid, self._settings.name, key, sent, self._snapshot.catalogue
        )
        mapping = RowMapping(plan, form.wire.columns, key)
        fit = Fit(mapping, shape)
        filled = mapping.columns & fit.casts.keys()
        # A column of history that the source has dropped, or has in another type, cannot be compared.
        schema = pa.schema(
            [(column.name, arrow_type(column.type)) for column in shape.columns if column.name in filled]
        )
        for raw in _chunks(self._snapshot.rows(table, form.names, row_filter)):
            mapped = (_mapped(fit, mapping, form.row(values)) for values in raw)
            rows = [row for row in mapped if row is not None]
            yield pa.Table.from_pydict(
                {name: [row.get(name) for row in rows] for name in schema.names}, schema=schema
            )

    def close(self) -> None:
        """End the reading transaction; safe to call twice."""
        self._snapshot.close()
        self._session.close()

    def _stale(self, mark: TableMark, seen: SeenTable | None) -> str | None:
        if mark.stale is not None and not mark.is_mended:
            since = datetime.fromtimestamp(mark.stale.seen_at / 1_000_000, UTC)
            return f"stale since {since:%Y-%m-%dT%H:%M:%SZ}: {mark.stale.cause}"
        if mark.layout is None or seen is None:
            return None
        try:
            cause = self._snapshot.catalogue.rewrite(seen, mark.layout)
        except psycopg.errors.LockNotAvailable:
            cause = "a partition was attached, and it is locked now"
        return None if cause is None else f"stale, and capture has not noticed yet: {cause}"

    def _is_readable(self, table: TableId) -> bool:
        then = self._snapshot.catalogue.tables([table]).get(table)
        return then is not None and self._snapshot.holds(then)

    def _nothing_waits(self, slot: str) -> bool:
        point = self._snapshot.point
        try:
            peeked = self._session.execute(
                "SELECT data FROM pg_logical_slot_peek_binary_changes(%s, %s, %s, 'proto_version', '1', "
                "'publication_names', %s)",
                [slot, lsn_text(point), _PEEKED, f'"{self._settings.publication_name}"'],
            ).fetchall()
        except psycopg.Error:
            # A capture has taken the slot in the meantime: its position will tell.
            return False
        names: dict[int, TableId] = {}
        is_before = False
        for (payload,) in peeked:
            match decoded(payload):
                case Begin() as begin:
                    is_before = begin.final_lsn < point
                case Relation() as relation:
                    names[relation.oid] = TableId(relation.schema, relation.name)
                case Insert() | Update() | Delete() as change if is_before:
                    if names[change.relation] in self._tables:
                        return False
                case Truncate() as truncate if is_before:
                    if any(names.get(oid) in self._tables for oid in truncate.relations):
                        return False
                case _:
                    continue
        return len(peeked) < _PEEKED


def _chunks(rows: Iterator[Sequence[bytes | None]]) -> Iterator[list[Sequence[bytes | None]]]:
    chunk: list[Sequence[bytes | None]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _mapped(fit: Fit, mapping: RowMapping, row: dict[str, object]) -> Mapping[str, object] | None:
    """The row as history holds it: what the wire cannot hold is null there, with its text beside it.

    None for a row whose key history cannot hold.
    """
    texts = {name: value.text for name, value in row.items() if isinstance(value, Unheld)}
    wire = {name: None if name in texts else value for name, value in row.items()}
    try:
        return fit.row(mapping.row(wire, texts)).values
    except ValueOutOfRange:
        with suppress(ValueOutOfRange):
            return fit.row(mapping.key_only(wire)).values
        return None
