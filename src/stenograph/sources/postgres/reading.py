"""The course of reading tables: which are unread, the snapshot they are read on, and one after another.

Knows when a table must be read, not what streams meanwhile; `source` interleaves the two.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import psycopg

from stenograph.errors import StenographError
from stenograph.events import TableId
from stenograph.ports import ReadProgress
from stenograph.sources.postgres.batch import BatchUnderway
from stenograph.sources.postgres.catalogue import Signature
from stenograph.sources.postgres.layout import Layout
from stenograph.sources.postgres.position import Reading, ResumePoint, TableMark
from stenograph.sources.postgres.snapshot import Snapshot, SnapshotExport
from stenograph.sources.postgres.table import CapturedTables, form_of_table
from stenograph.sources.postgres.table_reading import TableReading

EXPORT_SECONDS = 30.0
"""How long the stream stands still for a snapshot; after as long a time of streaming it is asked for again."""
_GONE = frozenset({"42P01", "42703", "55P03", "3F000"})
"""The table, a column or the schema was dropped since, or the application holds a lock: read it another time."""


def unread(resume: ResumePoint, now: Mapping[TableId, Signature]) -> dict[TableId, Signature]:
    """The published tables that have to be read: never or half read, to be read again, or another table now."""
    marks = resume.tables
    return {
        table: signature
        for table, signature in now.items()
        if table not in marks
        or marks[table].reading is not Reading.READ
        or marks[table].signature != signature
    }


def with_intent(
    resume: ResumePoint, tables: Mapping[TableId, Signature], asked: Mapping[TableId, int]
) -> ResumePoint:
    """The resume point that says: these tables are being read; history may have rows of those that have a mark.

    `asked` are the requests that this reading fulfils. A table that is as it was goes on being streamed meanwhile.
    """
    for table, signature in tables.items():
        known = resume.tables.get(table)
        if known is None:
            mark = TableMark(signature, Reading.READING, 1, 0, again=False)
        elif known.signature == signature and known.reading is not Reading.READING:
            mark = replace(known, reading=Reading.AGAIN, attempt=known.attempt + 1, again=True)
        else:
            mark = TableMark(
                signature,
                Reading.READING,
                known.attempt + 1,
                0,
                again=True,
                stale=known.stale,
                request=known.request,
            )
        resume = resume.with_mark(table, replace(mark, request=asked.get(table, mark.request)))
    return resume


class TablesReading:
    """Some tables being read on one snapshot.

    `floor` is an LSN that the WAL had reached before. Trap: the snapshot's own LSN is known only when the server
    has made it, and a change beyond it must not be dropped, so the stream may not pass `stop_before`.
    """

    def __init__(
        self,
        dsn: str,
        floor: int,
        tables: Sequence[TableId],
        captured: CapturedTables,
        publication: str,
        source: str,
        database: str,
    ) -> None:
        self._floor = floor
        self._asked_at = time.monotonic()
        self._export: SnapshotExport | None = SnapshotExport(dsn)
        self._snapshot: Snapshot | None = None
        self._queue = list(tables)
        self._captured = captured
        self._publication = publication
        self._source = source
        self._database = database
        self._table: TableReading | None = None
        self._layout: Layout | None = None
        self._expected: int | None = None
        self._began_at = 0.0

    @property
    def stop_before(self) -> int:
        """Where the stream must stop: at the snapshot's LSN, and until that is known at one that is not above it."""
        return self._floor if self._snapshot is None else self._snapshot.point

    @property
    def waits_too_long(self) -> bool:
        """Whether a transaction has kept the server from making the snapshot, and so the stream from going on."""
        return self._snapshot is None and time.monotonic() - self._asked_at > EXPORT_SECONDS

    @property
    def is_done(self) -> bool:
        """Whether every table was read or given up."""
        return not self._queue

    @property
    def current(self) -> TableId:
        """The table that `read` reads next."""
        return self._queue[0]

    def progress(self) -> ReadProgress | None:
        """How far the current table is; None between two tables."""
        if self._table is None:
            return None
        seconds = time.monotonic() - self._began_at
        return ReadProgress(self._table.id, self._table.rows, self._expected, seconds)

    def has_snapshot(self, until: float) -> bool:
        """Whether the snapshot is there; waits for the server until then."""
        if self._snapshot is None and self._export is not None:
            self._snapshot = self._export.imported(until)
        return self._snapshot is not None

    def read(self, batch: BatchUnderway, resume: ResumePoint, until: float) -> ResumePoint | None:
        """Add rows of the current table; the resume point with it read, or None while it is not finished.

        A table that cannot be read now is left unread.
        """
        table, mark = self.current, resume.tables[self.current]
        assert self._snapshot is not None
        try:
            if self._table is None:
                self._table = self._begin(table, mark, resume.run)
                if self._table is None:
                    return self._leave(resume)
                if mark.again:
                    self._table.add_clearing(batch)
            if not self._table.read(batch, until):
                return None
        except StenographError as failure:
            if not isinstance(failure.__cause__, psycopg.Error) or failure.__cause__.sqlstate not in _GONE:
                raise
            return self._leave(resume)
        self._table = None
        self._queue.pop(0)
        point = self._snapshot.point
        done = replace(mark, reading=Reading.READ, at=point, layout=self._layout)
        return replace(resume, lsn=max(resume.lsn, point)).with_mark(table, done)

    def close(self) -> None:
        """Let go of connections and the snapshot; safe to call twice."""
        if self._table is not None:
            self._table.close()
        if self._export is not None:
            self._export.close()
        if self._snapshot is not None:
            self._snapshot.close()

    def _leave(self, resume: ResumePoint) -> ResumePoint:
        # The snapshot's transaction may be broken: the other tables wait for the next one too.
        self._queue.clear()
        return resume

    def _begin(self, id: TableId, mark: TableMark, run: int) -> TableReading | None:  # noqa: A002
        assert self._snapshot is not None
        catalogue = self._snapshot.catalogue
        table = catalogue.tables([id]).get(id)
        if table is None or table.signature != mark.signature or not self._snapshot.holds(table):
            return None
        self._layout = catalogue.layouts([id], self._publication)[id].layout()
        self._expected, self._began_at = catalogue.expected_rows(table), time.monotonic()
        sent, row_filter = catalogue.published(self._publication, id)
        form = form_of_table(id, table.signature.oid, self._source, mark.signature.key, sent, catalogue)
        captured = self._captured.captured(form, table.signature.oid, table.identity)
        copying = self._snapshot.copying(table, form.names, row_filter)
        return TableReading(self._snapshot, copying, captured, run, self._source, self._database)
