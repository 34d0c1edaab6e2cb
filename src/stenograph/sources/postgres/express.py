"""Encodes the hot kinds of changes with compiled functions, frame by frame, without an object for a row.

Takes inserts, updates and deletes of the tables that are open in the transaction, and leaves every frame that it is
not sure of to the reference. Order, numbers and headers are those that the reference gives.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from struct import Struct

from stenograph.envelope.emitters import LAST, MORE, long_bytes, varint
from stenograph.offsets import pack_order
from stenograph.sources.postgres.batch import MAX_BATCH_BYTES, BatchUnderway
from stenograph.sources.postgres.compiled import UNSURE, CompiledTable
from stenograph.sources.postgres.source_block import SourceBlock, clock_bytes, in_transaction
from stenograph.sources.postgres.table import CapturedTable
from stenograph.sources.postgres.transaction import OpenTransaction

CLOCK_EVERY = 64
"""So many changes share one reading of the clock."""
_KINDS = b"IUD"
_ORDINALS = 2
"""A change may become two events, so it takes two places (Invariant 4)."""
_lsn_of = Struct("!Q").unpack_from


class _OpenTable:
    """A table in one transaction: what its events have in common."""

    __slots__ = ("_head", "_previous", "begin", "change", "middle", "tally", "topic", "width")

    def __init__(self, of: CompiledTable, block: SourceBlock, transaction: OpenTransaction) -> None:
        begin, previous = transaction.begin, transaction.previous
        self.change = of.change
        self.topic = of.topic
        self._head = block.head(begin.committed_at, "false")
        self._previous = b'[null,"' if previous is None else b'["%d","' % previous
        self.begin = b""
        self.width = 0
        self.middle = b'"]' + block.middle(begin.committed_at, begin.xid)
        self.tally = transaction.tally(of.table.form.wire.table)

    def widen(self, width: int) -> None:
        """Prepare for LSNs of so many digits: the sequence's length stands before it."""
        self.width = width
        self.begin = self._head + long_bytes(len(self._previous) + width + 2) + self._previous


class Express:
    """The open tables of the transaction that is being streamed, by the four bytes of their relation's oid."""

    def __init__(self, source: str, database: str) -> None:
        self._source = source
        self._database = database
        self._compiled: dict[bytes, tuple[CompiledTable, SourceBlock]] = {}
        self._open: dict[bytes, _OpenTable] = {}

    def __contains__(self, oid: bytes) -> bool:
        return oid in self._open

    def open(self, oid: bytes, table: CapturedTable, transaction: OpenTransaction) -> None:
        """Take the table's changes from here to the end of the transaction."""
        known = self._compiled.get(oid)
        if known is None or known[0].table is not table:
            known = CompiledTable(table), SourceBlock(table, self._source, self._database)
            self._compiled[oid] = known
        self._open[oid] = _OpenTable(*known, transaction)

    def close(self) -> None:
        """Take no change any more: the transaction has ended, or a table may have another shape."""
        self._open.clear()

    def take(
        self,
        frame: bytes,
        read: Callable[[], bytes | None],
        transaction: OpenTransaction,
        batch: BatchUnderway,
        until: float,
    ) -> bytes | None:
        """Add the change in the frame, then what `read` gives, to the batch; the first frame that was not taken.

        None when nothing more has arrived, the batch is full, or it is past `until` on the monotonic clock.
        """
        of = self._open
        room, size = batch.limit - len(batch), batch.size
        add_topic, add_key, add_value = batch.topics.append, batch.keys.append, batch.values.append
        add_time, add_order, add_headers = batch.timestamps.append, batch.orders.append, batch.headers.append
        run, final_lsn = transaction.run, transaction.begin.final_lsn
        block = in_transaction(transaction.id(_lsn_of(frame, 1)[0]))
        millis, now = _clock()
        at, ordinal, total = transaction.lsn, transaction.ordinal, transaction.total
        digits = position = b""
        taken, pause = 0, min(CLOCK_EVERY, room)
        rest: bytes | None = frame
        while rest is not None:
            table = of.get(rest[26:30])
            if table is None or rest[25] not in _KINDS:
                break
            lsn = _lsn_of(rest, 1)[0]
            if lsn != at or not digits:
                ordinal = ordinal if lsn == at else 0
                at, digits, z = lsn, b"%d" % lsn, lsn << 1
                is_usual = 1 << 28 <= z < 1 << 42
                position = MORE[z & 16383] + MORE[z >> 14 & 16383] + LAST[z >> 28] if is_usual else varint(z)
            if table.width != len(digits):
                table.widen(len(digits))
            events = table.tally.events + 1
            # Twice the number is its zigzag; the varints stand here because a call costs as much as all of one.
            t, e = (total + 1) << 1, events << 1
            try:
                key, value, headers = table.change(
                    rest,
                    table.begin,
                    digits,
                    table.middle,
                    position,
                    block,
                    LAST[t] if t < 1 << 14 else MORE[t & 16383] + LAST[t >> 14] if t < 1 << 28 else varint(t),
                    LAST[e] if e < 1 << 14 else MORE[e & 16383] + LAST[e >> 14] if e < 1 << 28 else varint(e),
                    now,
                )
            except UNSURE:
                break
            add_topic(table.topic)
            add_key(key)
            add_value(value)
            add_time(millis)
            add_order(pack_order(run, final_lsn, lsn, ordinal))
            add_headers(headers)
            ordinal += _ORDINALS
            total += 1
            table.tally.events = events
            size += len(value)
            taken += 1
            if taken == pause or size >= MAX_BATCH_BYTES:
                if taken == room or size >= MAX_BATCH_BYTES or time.monotonic() >= until:
                    rest = None
                    break
                pause = min(taken + CLOCK_EVERY, room)
                millis, now = _clock()
            rest = read()
        transaction.lsn, transaction.ordinal, transaction.total = at, ordinal, total
        batch.size = size
        return rest


def _clock() -> tuple[int, bytes]:
    nanos = time.time_ns()
    return nanos // 1_000_000, clock_bytes(nanos)
