"""Encodes the hot kinds of changes without an object for a row: many at once by whole columns, few one by one.

Takes inserts, updates and deletes of the tables that are open in the transaction, and leaves every frame that it is
not sure of to the reference. Order, numbers and headers are those that the reference gives.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from struct import Struct

from stenograph.envelope.emitters import LAST, MORE, varint
from stenograph.offsets import pack_order
from stenograph.sources.postgres.batch import MAX_BATCH_BYTES, BatchUnderway
from stenograph.sources.postgres.columnar.run import add_run
from stenograph.sources.postgres.compiled import UNSURE
from stenograph.sources.postgres.incoming import Incoming
from stenograph.sources.postgres.open_table import OpenTable, TableEncoders
from stenograph.sources.postgres.setback import Setback
from stenograph.sources.postgres.source_block import clock_bytes, in_transaction
from stenograph.sources.postgres.table import CapturedTable
from stenograph.sources.postgres.transaction import ORDINALS, OpenTransaction

CLOCK_EVERY = 64
"""So many changes share one reading of the clock."""
AT_ONCE = 160
"""From so many changes of one table and kind on it is quicker to encode whole columns."""
_MOST = 2048
"""So many are encoded at once at most: what they are made of stays in the processor's caches."""
_FEW = 16
_ENOUGH = 1024
"""With so many at hand the rest of the transaction is not waited for: the server has little room to go on meanwhile."""
_MOST_BYTES = 1 << 20
_LARGE = 1 << 16
"""A frame from this size on ends what is encoded at once, which holds every byte several times."""
_BLOCK_BYTES = 256
"""About what a value has more than its frame."""
_KINDS = (b"I", b"U", b"D")
_lsn_of = Struct("!Q").unpack_from


class Express:
    """The open tables of the transaction that is being streamed, by the four bytes of their relation's oid.

    From `at_once` changes of each table and kind on whole columns are encoded.
    """

    def __init__(self, source: str, database: str, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._source = source
        self._database = database
        self._encoders: dict[bytes, TableEncoders] = {}
        self._open: dict[bytes, OpenTable] = {}
        self._taken: set[bytes] = set()
        self._setback = Setback()

    def __contains__(self, oid: bytes) -> bool:
        return oid in self._open

    def open(self, oid: bytes, table: CapturedTable, transaction: OpenTransaction) -> None:
        """Take the table's changes from here to the end of the transaction."""
        known = self._encoders.get(oid)
        if known is None or known.compiled.table is not table:
            known = self._encoders[oid] = TableEncoders(table, self._source, self._database)
        self._open[oid] = OpenTable(known, transaction)
        self._taken.update(kind + oid for kind in _KINDS)

    def close(self) -> None:
        """Take no change any more: the transaction has ended, or a table may have another shape."""
        self._open.clear()
        self._taken.clear()

    def take(
        self,
        frame: bytes,
        incoming: Incoming,
        transaction: OpenTransaction,
        batch: BatchUnderway,
        until: float,
    ) -> bytes | None:
        """Add the change in the frame, then those that come next, to the batch; the first frame that was not taken.

        None when nothing more has arrived, the batch is full, or it is past `until` on the monotonic clock. What came
        after the frame that was not taken is put back. Waits for the rest of the transaction, `until` at most.
        """
        frames, rest = self._gathered(frame, incoming, batch, until)
        if self._setback.rows > 0 or not self._is_worth_columns(frames):
            taken = self._one_by_one(frames, transaction, batch)
            self._setback.note_alone(taken)
        else:
            taken = add_run(frames, self._open, transaction, batch, time.time_ns())
            self._setback.note_run(taken, len(frames))
        if taken == len(frames):
            return rest
        left = frames[taken:] if rest is None else [*frames[taken:], rest]
        if batch.is_full:
            incoming.put_back(left)
            return None
        incoming.put_back(left[1:])
        return left[0]

    def _is_worth_columns(self, frames: Sequence[bytes]) -> bool:
        if len(frames) < self._at_once:
            return False
        # Each table and kind costs as much again, however few changes it has.
        return len(frames) >= self._at_once * len({frame[25:30] for frame in frames})

    def _gathered(
        self, frame: bytes, incoming: Incoming, batch: BatchUnderway, until: float
    ) -> tuple[list[bytes], bytes | None]:
        """Changes to be encoded together, the given one first; and the frame after them that is none of them."""
        most = min(batch.limit - len(batch), CLOCK_EVERY if self._setback.rows > 0 else _MOST)
        most_bytes = min(MAX_BATCH_BYTES - batch.size, _MOST_BYTES)
        frames, size = [frame], len(frame) + _BLOCK_BYTES
        while len(frames) < most and size < most_bytes:
            # Never many more than there are: what follows a short transaction is put back.
            arrived = incoming.some(min(most - len(frames), max(len(frames), _FEW)))
            if arrived:
                count, added = self._fitting(arrived, most_bytes - size)
                frames += arrived if count == len(arrived) else arrived[:count]
                size += added
                if count < len(arrived):
                    if arrived[count][25:30] not in self._taken:
                        incoming.put_back(arrived[count + 1 :])
                        return frames, arrived[count]
                    incoming.put_back(arrived[count:])
                    break
            elif len(frames) < _ENOUGH and time.monotonic() < until:
                # The server sends committed transactions only: the rest is on its way.
                incoming.wait(until)
                continue
            if not arrived or time.monotonic() >= until:
                break
        return frames, None

    def _fitting(self, frames: Sequence[bytes], room: int) -> tuple[int, int]:
        """How many of the frames, from the first on, can be encoded together; and about how many bytes that makes."""
        lengths = [*map(len, frames)]
        size = sum(lengths) + len(frames) * _BLOCK_BYTES
        if (
            size < room
            and max(lengths) < _LARGE
            and self._taken.issuperset({frame[25:30] for frame in frames})
        ):
            return len(frames), size
        size = 0
        for count, (frame, length) in enumerate(zip(frames, lengths, strict=True)):
            if size >= room or length >= _LARGE or frame[25:30] not in self._taken:
                return count, size
            size += length + _BLOCK_BYTES
        return len(frames), size

    def _one_by_one(self, frames: Sequence[bytes], transaction: OpenTransaction, batch: BatchUnderway) -> int:
        """Add the changes to the batch until the compiled functions are not sure or it is full; how many."""
        of, size = self._open, batch.size
        add_topic, add_key, add_value = batch.topics.append, batch.keys.append, batch.values.append
        add_time, add_order, add_headers = batch.timestamps.append, batch.orders.append, batch.headers.append
        run, final_lsn = transaction.run, transaction.begin.final_lsn
        block = in_transaction(transaction.id(_lsn_of(frames[0], 1)[0]))
        at, ordinal, total = transaction.lsn, transaction.ordinal, transaction.total
        digits = position = b""
        taken = 0
        millis, now = _clock()
        for frame in frames:
            table = of[frame[26:30]]
            lsn = _lsn_of(frame, 1)[0]
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
                    frame,
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
            # Invariant 4: as many places are taken as `OpenTransaction.orders` takes, and in the same order.
            ordinal += ORDINALS
            total += 1
            table.tally.events = events
            size += len(value)
            taken += 1
            if size >= MAX_BATCH_BYTES:
                break
            if not taken % CLOCK_EVERY:
                millis, now = _clock()
        transaction.lsn, transaction.ordinal, transaction.total = at, ordinal, total
        batch.size = size
        return taken


def _clock() -> tuple[int, bytes]:
    nanos = time.time_ns()
    return nanos // 1_000_000, clock_bytes(nanos)
