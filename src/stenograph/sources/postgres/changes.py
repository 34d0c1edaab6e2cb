"""A decoded change as events in full: the reference, to which the compiled encoders are held equal.

Decodes no message and encodes nothing. Plain on purpose: it is read when somebody asks what an event has to be.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from stenograph.events import ChangeEvent, KeyChange, Op, Origin, Row
from stenograph.sources.postgres.messages import Delete, Insert, OldKind, TupleData, Update
from stenograph.sources.postgres.table import CapturedTable, full_new_row
from stenograph.sources.postgres.transaction import OpenTransaction

CONNECTOR = "postgresql"


class ChangeEvents:
    """Makes the events of one source; `source` is its name, `database` the database's."""

    def __init__(self, source: str, database: str) -> None:
        self._source = source
        self._database = database

    def of(
        self,
        change: Insert | Update | Delete,
        table: CapturedTable,
        lsn: int,
        transaction: OpenTransaction,
    ) -> Iterator[ChangeEvent]:
        """One event, or two where the key changes; each takes its number in the transaction when it is made."""
        form = table.form
        match change:
            case Insert():
                after = form.row(change.new)
                yield self._event(
                    Op.CREATE, table, lsn, transaction, key=form.key(after), before=None, after=after
                )
            case Delete():
                before = _before(change.old_kind, change.old, table)
                yield self._event(
                    Op.DELETE, table, lsn, transaction, key=form.key(before), before=before, after=None
                )
            case Update():
                yield from self._updated(change, table, lsn, transaction)

    def truncated(self, table: CapturedTable, lsn: int, transaction: OpenTransaction) -> ChangeEvent:
        """The event of a TRUNCATE for one of its tables."""
        return self._event(Op.TRUNCATE, table, lsn, transaction, key=None, before=None, after=None)

    def _updated(
        self, change: Update, table: CapturedTable, lsn: int, transaction: OpenTransaction
    ) -> Iterator[ChangeEvent]:
        form = table.form
        after = full_new_row(form, change.new, change.old)
        new_key = form.key(after)
        before = None
        if change.old is not None and change.old_kind is not None:
            before = _before(change.old_kind, change.old, table)
        old_key = None if before is None else form.key(before)
        if old_key is None or old_key == new_key:
            full = before if change.old_kind is OldKind.FULL else None
            yield self._event(Op.UPDATE, table, lsn, transaction, key=new_key, before=full, after=after)
            return
        yield self._event(
            Op.DELETE,
            table,
            lsn,
            transaction,
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
            transaction,
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
        transaction: OpenTransaction,
        *,
        key: Row | None,
        before: Row | None,
        after: Row | None,
        key_change: KeyChange | None = None,
        related_key: Row | None = None,
    ) -> ChangeEvent:
        begin, of = transaction.begin, table.form.wire.table
        previous = "null" if transaction.previous is None else f'"{transaction.previous}"'
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
            transaction=transaction.block(of, lsn),
            key_change=key_change,
            related_key=related_key,
        )


def _before(kind: OldKind, old: TupleData, table: CapturedTable) -> dict[str, object]:
    row = table.form.row(old)
    if kind is OldKind.FULL:
        return row
    names = table.form.wire.key
    return {name: row[name] for name in names}
