"""Looks at the catalogue at intervals: which tables have to be read, and which were rewritten without an event.

Reads no table and gives no event: `source` does what a look has found. Changes nothing at the server but the
publication.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg

from stenograph.events import TableId
from stenograph.ports import Rereads
from stenograph.schemas import OnRewrite
from stenograph.sources.postgres.catalogue import Catalogue, Signature
from stenograph.sources.postgres.layout import Layout
from stenograph.sources.postgres.position import Reading, ResumePoint, Stale, TableMark
from stenograph.sources.postgres.publication import publish
from stenograph.sources.postgres.reading import unread, with_intent
from stenograph.sources.postgres.session import Session

LOOK_SECONDS = 2.0
"""How often the catalogue is asked whether every table is still the same one."""
COMPARE_SECONDS = 10.0
"""How often columns and files are compared where no Relation message says that they have changed."""
_SOON = 0.05


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A table that is not as history has it, and what it is now."""

    stale: Stale
    layout: Layout


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look has found.

    `resume` has it all but the rewrites: the log is told of them first. `intent` are the tables to be read now.
    `must_move` says that the log has to hold the resume point before anything else is done.
    """

    resume: ResumePoint
    intent: Mapping[TableId, Signature] = field(default_factory=dict)
    rewrites: Mapping[TableId, Rewrite] = field(default_factory=dict)
    must_move: bool = False


class TableWatch:
    """The looks of one source at its tables."""

    def __init__(
        self, session: Session, dsn: str, publication: str, tables: Sequence[TableId], rereads: Rereads
    ) -> None:
        self._session = session
        self._dsn = dsn
        self._publication = publication
        self._tables = tables
        self._rereads = rereads
        self._catalogue = Catalogue(session)
        self._looked_at = self._compared_at = float("-inf")
        self._agreed = 0

    def is_due(self, every: float = LOOK_SECONDS) -> bool:
        """Whether it is time for a look."""
        return time.monotonic() - self._looked_at >= every

    def is_due_soon(self) -> bool:
        """The same where the stream has met a table that its mark does not describe."""
        return self.is_due(_SOON)

    def hurry(self) -> None:
        """Look at once, also at columns and files: a table's shape has changed."""
        self._looked_at = self._compared_at = float("-inf")

    def look_from(self, then: float) -> None:
        """Count the time to the next look from this monotonic time."""
        self._looked_at = then

    def look(self, resume: ResumePoint) -> Seen:
        """Look once; raise what the catalogue, the publication and the requests raise."""
        self._looked_at = time.monotonic()
        signatures = self._catalogue.signatures(self._tables, self._publication)
        if len(signatures) < len(self._tables):
            # One was dropped, or made again outside of the publication.
            found = self._catalogue.tables(self._tables)
            unpublished = found.keys() - signatures.keys()
            if any(_holds_rows(resume.tables.get(table)) for table in unpublished):
                # What changed while it was not published is known to nobody. The log must say that the table is to be
                # read anew before anything can make it look as if it had been published all the time.
                self._looked_at = float("-inf")
                return Seen(resume.unread(unpublished), must_move=True)
            if unpublished:
                publish(self._session, self._dsn, self._publication, self._tables, found)
                signatures = self._catalogue.signatures(self._tables, self._publication)
        compared, rewrites = self._compared(resume, signatures)
        if rewrites:
            return Seen(compared, rewrites=rewrites)
        asked = self._asked(compared)
        again = [table for table in signatures if table in asked or self._is_to_be_mended(compared, table)]
        tables = unread(compared, signatures) | {table: signatures[table] for table in again}
        if tables:
            return Seen(with_intent(compared, tables, asked), intent=tables)
        return Seen(compared, must_move=compared is not resume)

    def _compared(
        self, resume: ResumePoint, signatures: Mapping[TableId, Signature]
    ) -> tuple[ResumePoint, dict[TableId, Rewrite]]:
        """The resume point with what is new and harmless, and what is not."""
        if time.monotonic() - self._compared_at < COMPARE_SECONDS:
            return resume, {}
        self._compared_at = time.monotonic()
        # Before the look: whatever the look does not show yet commits after it.
        now_at = self._catalogue.server().wal_end
        rewrites = {}
        is_unanswered = False
        seen = self._catalogue.layouts(self._tables, self._publication)
        for table, mark in resume.tables.items():
            if (
                mark.reading is not Reading.READ
                or signatures.get(table) != mark.signature
                or table not in seen
            ):
                continue
            layout = seen[table].layout()
            if layout == mark.layout:
                continue
            try:
                cause = None if mark.layout is None else self._catalogue.rewrite(seen[table], mark.layout)
            except psycopg.errors.LockNotAvailable:
                # Nobody can say now: the next look asks again.
                is_unanswered = True
                continue
            if cause is None:
                resume = resume.with_mark(table, replace(mark, layout=layout))
            else:
                rewrites[table] = Rewrite(self._stale(cause, mark), layout)
        if not is_unanswered:
            self._agreed = now_at
        return resume, rewrites

    def _stale(self, cause: str, mark: TableMark) -> Stale:
        return Stale(
            cause,
            agreed=max(mark.at, self._agreed) if mark.stale is None else mark.stale.agreed,
            # After the look, so that a reading that begins later begins after the rewrite.
            noticed=self._catalogue.server().wal_end,
            seen_at=time.time_ns() // 1000,
        )

    def _asked(self, resume: ResumePoint) -> dict[TableId, int]:
        asked: dict[TableId, int] = {}
        for request in self._rereads.requests.pending():
            mark = resume.tables.get(request.table)
            if request.table not in self._tables or (mark is not None and mark.request >= request.id):
                self._rereads.requests.forget(request)
            else:
                asked[request.table] = max(request.id, asked.get(request.table, 0))
        return asked

    def _is_to_be_mended(self, resume: ResumePoint, table: TableId) -> bool:
        mark = resume.tables.get(table)
        policy = self._rereads.on_rewrite.get(table, OnRewrite.SNAPSHOT)
        return (
            mark is not None
            and mark.stale is not None
            and not mark.is_mended
            and policy is OnRewrite.SNAPSHOT
        )


def _holds_rows(mark: TableMark | None) -> bool:
    return mark is not None and mark.reading is not Reading.READING
