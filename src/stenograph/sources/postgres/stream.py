"""Turns a slot's messages into encoded change events, in commit order, and says how far they reach.

Decides neither which tables are read nor what is confirmed: `source` tells it the first and asks it for the second.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping

from stenograph.events import ChangeEvent, KeyChange, Op, Origin, Row, TableId
from stenograph.sources.postgres.batch import BatchUnderway
from stenograph.sources.postgres.catalogue import Catalogue
from stenograph.sources.postgres.messages import (
    Begin,
    Commit,
    Delete,
    Insert,
    Message,
    OldKind,
    Relation,
    Truncate,
    TupleData,
    Update,
    decoded,
)
from stenograph.sources.postgres.position import Reading, ResumePoint, TableMark
from stenograph.sources.postgres.replication import Data, Keepalive, ReplicationConnection
from stenograph.sources.postgres.table import (
    CapturedTable,
    CapturedTables,
    form_of_relation,
    full_new_row,
)
from stenograph.sources.postgres.transaction import OpenTransaction

MARK = "steno.mark"
"""The prefix of messages that only say: the stream has come this far."""
CONNECTOR = "postgresql"

_CLOCK_EVERY = 64


class ChangeStream:
    """The stream of one slot from a resume point on.

    `marks` says which tables are read and since when; changes of the others are dropped. `sent` is the LSN
    before which every commit has been given. Between two calls of `read` the stream may stand inside a
    transaction; then there is no place to resume.
    """

    def __init__(
        self,
        connection: ReplicationConnection,
        catalogue: Catalogue,
        captured: CapturedTables,
        source: str,
        database: str,
        tables: Collection[TableId],
        resume: ResumePoint,
    ) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._factory = captured
        self._source = source
        self._database = database
        self._wanted = frozenset(tables)
        self._run = resume.run
        self._marks: Mapping[TableId, TableMark] = resume.tables
        self._relations: dict[int, Relation] = {}
        self._captured: dict[int, CapturedTable] = {}
        self._transaction: OpenTransaction | None = None
        self._held: Data | None = None
        self.sent = resume.lsn
        self.last_commit = resume.last_commit
        self.last_committed_at = resume.last_committed_at
        self.saw_mark = False
        self.saw_other_table = False
        self.was_asked = False

    @property
    def in_transaction(self) -> bool:
        """Whether the last change given is not the last of its transaction."""
        return self._transaction is not None

    def use(self, marks: Mapping[TableId, TableMark]) -> None:
        """Go by these marks from the next change on."""
        if marks != self._marks:
            self._marks = marks
            self._captured.clear()

    def read(self, batch: BatchUnderway, until: float, stop_before: int | None = None) -> None:
        """Add changes to the batch until it is full or nothing more has arrived; wait for the first until `until`.

        With `stop_before`, a transaction that committed there or later is not begun.
        """
        turns = 0
        while not batch.is_full:
            frame = self._held or self._connection.read()
            if frame is None:
                marked = self.saw_mark and not self.in_transaction
                if len(batch) or marked or self._has_reached(stop_before) or time.monotonic() >= until:
                    return
                self._connection.wait(until)
                continue
            if not self._take(frame, batch, stop_before):
                return
            turns += 1
            if turns % _CLOCK_EVERY == 0 and time.monotonic() >= until:
                return

    def _has_reached(self, stop_before: int | None) -> bool:
        return stop_before is not None and self.sent >= stop_before and not self.in_transaction

    def _take(self, frame: Data | Keepalive, batch: BatchUnderway, stop_before: int | None) -> bool:
        self._held = None
        if isinstance(frame, Keepalive):
            if not self.in_transaction:
                self.sent = max(self.sent, frame.wal_end)
                self.was_asked = self.was_asked or frame.wants_reply
            return not self._has_reached(stop_before)
        match decoded(frame.payload):
            case Insert() | Update() | Delete() as change:
                self._add_change(change, frame.lsn, batch)
            case Begin() as begin:
                if stop_before is not None and begin.final_lsn >= stop_before:
                    self._held = frame
                    self.sent = max(self.sent, stop_before)
                    return False
                self._transaction = OpenTransaction(begin, self._run)
            case Commit() as commit:
                self._transaction = None
                self.sent = max(self.sent, commit.end_lsn)
                self.last_commit, self.last_committed_at = commit.end_lsn, commit.committed_at
            case Relation() as relation:
                if self._relations.get(relation.oid) != relation:
                    self._relations[relation.oid] = relation
                    self._captured.pop(relation.oid, None)
            case Truncate() as truncate:
                self._add_truncate(truncate, frame.lsn, batch)
            case Message(prefix=prefix) if prefix == MARK:
                self.saw_mark = True
                if not self.in_transaction:
                    self.sent = max(self.sent, frame.lsn)
            case _:
                # Origin, Type and other programs' messages say nothing of a row.
                pass
        return True

    def _add_change(self, change: Insert | Update | Delete, lsn: int, batch: BatchUnderway) -> None:
        assert self._transaction is not None
        orders = self._transaction.orders(lsn, 2)
        table = self._table(change.relation)
        if table is None:
            return
        for event, order in zip(self._events(change, table, lsn), orders, strict=False):
            if self._is_wanted(table.form.wire.table):
                batch.add(self._fitting(table, event), event, order)

    def _add_truncate(self, truncate: Truncate, lsn: int, batch: BatchUnderway) -> None:
        assert self._transaction is not None
        orders = self._transaction.orders(lsn, len(truncate.relations))
        for oid, order in zip(truncate.relations, orders, strict=True):
            table = self._table(oid)
            if table is None:
                continue
            event = self._event(Op.TRUNCATE, table, lsn, key=None, before=None, after=None)
            if self._is_wanted(table.form.wire.table):
                batch.add(table, event, order)

    def _events(
        self, change: Insert | Update | Delete, table: CapturedTable, lsn: int
    ) -> Iterator[ChangeEvent]:
        form = table.form
        match change:
            case Insert():
                after = form.row(change.new)
                yield self._event(Op.CREATE, table, lsn, key=form.key(after), before=None, after=after)
            case Delete():
                before = _before(change.old_kind, change.old, table)
                yield self._event(Op.DELETE, table, lsn, key=form.key(before), before=before, after=None)
            case Update():
                yield from self._update_events(change, table, lsn)

    def _update_events(self, change: Update, table: CapturedTable, lsn: int) -> Iterator[ChangeEvent]:
        form = table.form
        after = full_new_row(form, change.new, change.old)
        new_key = form.key(after)
        before = None
        if change.old is not None and change.old_kind is not None:
            before = _before(change.old_kind, change.old, table)
        old_key = None if before is None else form.key(before)
        if old_key is None or old_key == new_key:
            full = before if change.old_kind is OldKind.FULL else None
            yield self._event(Op.UPDATE, table, lsn, key=new_key, before=full, after=after)
            return
        yield self._event(
            Op.DELETE,
            table,
            lsn,
            key=old_key,
            before=before,
            after=None,
            key_change=KeyChange.LEFT,
            related_key=new_key,
        )
        yield self._event(
            Op.CREATE,
            table,
            lsn,
            key=new_key,
            before=None,
            after=after,
            key_change=KeyChange.ARRIVED,
            related_key=old_key,
        )

    def _event(
        self,
        op: Op,
        table: CapturedTable,
        lsn: int,
        *,
        key: Row | None,
        before: Row | None,
        after: Row | None,
        key_change: KeyChange | None = None,
        related_key: Row | None = None,
    ) -> ChangeEvent:
        assert self._transaction is not None
        begin, of = self._transaction.begin, table.form.wire.table
        previous = "null" if self.last_commit is None else f'"{self.last_commit}"'
        return ChangeEvent(
            op=op,
            origin=Origin(
                connector=CONNECTOR,
                source=self._source,
                database=self._database,
                table=of,
                committed_at=begin.committed_at,
                sequence=f'[{previous},"{lsn}"]',
                transaction_id=begin.xid,
                lsn=lsn,
            ),
            key=key,
            before=before,
            after=after,
            observed_at=time.time_ns(),
            before_is_full=table.sends_full_rows and before is not None,
            transaction=self._transaction.block(of, lsn),
            key_change=key_change,
            related_key=related_key,
        )

    def _is_wanted(self, table: TableId) -> bool:
        mark = self._marks.get(table)
        assert self._transaction is not None
        # What committed before the table was read is in the rows read.
        return (
            mark is not None and mark.reading is Reading.READ and self._transaction.begin.final_lsn >= mark.at
        )

    def _table(self, oid: int) -> CapturedTable | None:
        known = self._captured.get(oid)
        if known is not None:
            return known
        relation = self._relations[oid]
        name = TableId(relation.schema, relation.name)
        if name not in self._wanted:
            return None
        mark = self._marks.get(name)
        columns = {column.name for column in relation.columns}
        if mark is None or mark.signature.oid != oid or not columns.issuperset(mark.signature.key):
            # Another table under the name, or another key: it has to be read anew.
            self.saw_other_table = True
            return None
        form = form_of_relation(relation, self._source, mark.signature.key, self._catalogue)
        self._captured[oid] = self._factory.captured(form, oid, relation.identity)
        return self._captured[oid]

    def _fitting(self, table: CapturedTable, event: ChangeEvent) -> CapturedTable:
        rows = [event.after] if event.after is not None else []
        if event.before is not None and event.before_is_full:
            rows.append(event.before)
        refused = frozenset[str]().union(*(table.form.nulls_refused(row) for row in rows))
        if refused:
            form = table.form.with_nullable(refused)
            table = self._factory.captured(form, table.oid, table.identity)
            self._captured[table.oid] = table
        return table


def _before(kind: OldKind, old: TupleData, table: CapturedTable) -> dict[str, object]:
    row = table.form.row(old)
    if kind is OldKind.FULL:
        return row
    names = table.form.wire.key
    return {name: row[name] for name in names}
