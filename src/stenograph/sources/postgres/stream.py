"""Turns a slot's messages into encoded change events, in commit order, and says how far they reach.

Decides neither which tables are read nor what is confirmed: `source` tells it the first and asks it for the second.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from stenograph.events import ChangeEvent, TableId
from stenograph.sources.postgres.batch import BatchUnderway
from stenograph.sources.postgres.catalogue import Catalogue, Signature
from stenograph.sources.postgres.changes import ChangeEvents
from stenograph.sources.postgres.continuity import Continuity
from stenograph.sources.postgres.express import CLOCK_EVERY, Express
from stenograph.sources.postgres.incoming import Incoming
from stenograph.sources.postgres.messages import (
    Begin,
    Commit,
    Delete,
    Insert,
    Message,
    Relation,
    Truncate,
    Update,
    decoded,
)
from stenograph.sources.postgres.position import Reading, ResumePoint, TableMark
from stenograph.sources.postgres.replication import Keepalive, ReplicationConnection
from stenograph.sources.postgres.table import (
    CapturedTable,
    CapturedTables,
    form_of_relation,
)
from stenograph.sources.postgres.transaction import ORDINALS, OpenTransaction

MARK = "steno.mark"
"""The prefix of messages that only say: the stream has come this far."""
_ROW_KINDS = frozenset((b"I", b"U", b"D"))


class ChangeStream:
    """The stream of one slot from a resume point on.

    `marks` says which tables are read and since when; changes of the others are dropped. `sent` is the LSN
    before which every commit has been given. `missed` are tables that had a change which their mark cannot read:
    they have to be read anew. Between two calls of `read` the stream may stand inside a
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
        continuity: Continuity,
    ) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._factory = captured
        self._source = source
        self._events = ChangeEvents(source, database)
        self._express = Express(source, database)
        self._incoming = Incoming(connection.frames, connection.wait)
        self._wanted = frozenset(tables)
        self._run = resume.run
        self._marks: Mapping[TableId, TableMark] = resume.tables
        self._relations: dict[int, Relation] = {}
        self._captured: dict[int, CapturedTable] = {}
        self._transaction: OpenTransaction | None = None
        self._held: bytes | None = None
        self._continuity: Continuity | None = None if continuity.is_trivial else continuity
        self._is_passing = False
        self.sent = resume.lsn
        self.last_commit = resume.last_commit
        self.last_committed_at = resume.last_committed_at
        self.saw_mark = False
        self.saw_other_table = False
        self.saw_new_shape = False
        self.missed: set[TableId] = set()
        self.was_asked = False

    @property
    def in_transaction(self) -> bool:
        """Whether the last change given is not the last of its transaction."""
        return self._transaction is not None

    @property
    def is_continuous(self) -> bool:
        """Whether what the server sent from before the resume point is what the log has seen."""
        return self._continuity is None

    def recall(self, until: float) -> bool:
        """Take what the server sends from before the resume point, and give nothing of it; whether that was all.

        Takes until `until` on the monotonic clock, and is called before the first `read` until that was all. Raise
        SourceRewound if it is not what the log has seen.
        """
        has_asked = False
        turns = 0
        while self._continuity is not None:
            frame = self._connection.frame()
            if frame is not None:
                turns += 1
                if not self._recalls(frame, self._continuity):
                    self._continuity.check()
                    self._continuity = None
                elif turns % CLOCK_EVERY == 0 and time.monotonic() >= until:
                    # A server that crashed may send hours again, and whoever stops us must not wait for them.
                    return False
            elif not has_asked:
                # An idle server does not say by itself how far it has sent.
                self._connection.ask_for_keepalive()
                has_asked = True
            elif time.monotonic() < until:
                self._connection.wait(until)
            else:
                return False
        return True

    def _recalls(self, frame: bytes, continuity: Continuity) -> bool:
        if self._is_passing and frame[25:26] in _ROW_KINDS:
            return True
        message = self._connection.message(frame)
        if isinstance(message, Keepalive):
            return self._is_passing or message.wal_end < continuity.resume.lsn
        match decoded(message.payload):
            case Begin() as begin:
                self._is_passing = continuity.is_before(begin)
                if not self._is_passing:
                    self._held = frame
                return self._is_passing
            case Commit() as commit:
                self._is_passing = False
                continuity.passed(commit)
            case Relation() as relation:
                # The server describes a table once a connection.
                self._relations[relation.oid] = relation
            case _:
                pass
        return True

    def use(self, marks: Mapping[TableId, TableMark]) -> None:
        """Go by these marks from the next change on."""
        if marks != self._marks:
            self._marks = marks
            self._captured.clear()
            self._express.close()

    def read(self, batch: BatchUnderway, until: float, stop_before: int | None = None) -> None:
        """Add changes to the batch until it is full or nothing more has arrived; wait for the first until `until`.

        With `stop_before`, a transaction that committed there or later is not begun.
        """
        turns = 0
        while not batch.is_full:
            frame = self._held or self._incoming.next()
            if frame is not None and self._transaction is not None and self._is_express(frame):
                frame = self._express.take(frame, self._incoming, self._transaction, batch, until)
                if frame is None:
                    if time.monotonic() >= until:
                        return
                    continue
            if frame is None:
                if self.in_transaction and time.monotonic() < until:
                    # The server sends committed transactions only: the rest is on its way.
                    self._connection.wait(until)
                    continue
                marked = self.saw_mark and not self.in_transaction
                if len(batch) or marked or self._has_reached(stop_before) or time.monotonic() >= until:
                    return
                self._connection.wait(until)
                continue
            if not self._take(frame, batch, stop_before):
                return
            turns += 1
            if turns % CLOCK_EVERY == 0 and time.monotonic() >= until:
                return

    def _has_reached(self, stop_before: int | None) -> bool:
        return stop_before is not None and self.sent >= stop_before and not self.in_transaction

    def _is_express(self, frame: bytes) -> bool:
        if frame[25:26] not in _ROW_KINDS:
            return False
        oid = frame[26:30]
        if oid not in self._express:
            table = self._table(int.from_bytes(oid, "big"))
            if table is None or not self._is_wanted(table.form.wire.table):
                return False
            assert self._transaction is not None
            self._express.open(oid, table, self._transaction)
        return True

    def _take(self, frame: bytes, batch: BatchUnderway, stop_before: int | None) -> bool:
        self._held = None
        message = self._connection.message(frame)
        if isinstance(message, Keepalive):
            if not self.in_transaction:
                self.sent = max(self.sent, message.wal_end)
                self.was_asked = self.was_asked or message.wants_reply
            return not self._has_reached(stop_before)
        match decoded(message.payload):
            case Insert() | Update() | Delete() as change:
                self._add_change(change, message.lsn, batch)
            case Begin() as begin:
                if stop_before is not None and begin.final_lsn >= stop_before:
                    self._held = frame
                    self.sent = max(self.sent, stop_before)
                    return False
                self._transaction = OpenTransaction(begin, self._run, self.last_commit)
            case Commit() as commit:
                self._transaction = None
                self._express.close()
                self.sent = max(self.sent, commit.end_lsn)
                self.last_commit, self.last_committed_at = commit.end_lsn, commit.committed_at
            case Relation() as relation:
                if self._relations.get(relation.oid) != relation:
                    self.saw_new_shape = self.saw_new_shape or relation.oid in self._relations
                    self._relations[relation.oid] = relation
                    self._captured.pop(relation.oid, None)
                    self._express.close()
            case Truncate() as truncate:
                self._add_truncate(truncate, message.lsn, batch)
            case Message(prefix=prefix) if prefix == MARK:
                self.saw_mark = True
                if not self.in_transaction:
                    self.sent = max(self.sent, message.lsn)
            case _:
                # Origin, Type and other programs' messages say nothing of a row.
                pass
        return True

    def _add_change(self, change: Insert | Update | Delete, lsn: int, batch: BatchUnderway) -> None:
        assert self._transaction is not None
        orders = self._transaction.orders(lsn, ORDINALS)
        table = self._table(change.relation)
        if table is None:
            return
        events = self._events.of(change, table, lsn, self._transaction)
        for event, order in zip(events, orders, strict=False):
            if self._is_wanted(table.form.wire.table):
                batch.add(self._fitting(table, event), event, order)

    def _add_truncate(self, truncate: Truncate, lsn: int, batch: BatchUnderway) -> None:
        assert self._transaction is not None
        orders = self._transaction.orders(lsn, len(truncate.relations))
        for oid, order in zip(truncate.relations, orders, strict=True):
            table = self._table(oid)
            if table is None:
                continue
            event = self._events.truncated(table, lsn, self._transaction)
            if self._is_wanted(table.form.wire.table):
                batch.add(table, event, order)

    def _is_wanted(self, table: TableId) -> bool:
        mark = self._marks.get(table)
        assert self._transaction is not None
        # What committed before the table was read is in the rows read.
        return (
            mark is not None
            and mark.reading is not Reading.READING
            and self._transaction.begin.final_lsn >= mark.at
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
        if mark is None or not _is_described(mark.signature, relation):
            # Another table under the name, or another key: it has to be read anew.
            self.saw_other_table = True
            if self._is_wanted(name):
                self.missed.add(name)
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
            self._express.close()
        return table


def _is_described(signature: Signature, relation: Relation) -> bool:
    columns = {column.name for column in relation.columns}
    if signature.oid != relation.oid or not columns.issuperset(signature.key):
        return False
    identity = {column.name for column in relation.columns if column.in_identity}
    if relation.identity == "f" or not identity:
        # A full identity marks every column; without one there are only inserts.
        return True
    if relation.identity == "i" and not signature.key:
        return True
    return identity == set(signature.key)
