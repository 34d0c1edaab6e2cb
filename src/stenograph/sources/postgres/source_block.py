"""The bytes from `source` up to `op` in an envelope, in pieces that stay the same for a table or a transaction.

Knows the fields of `POSTGRES_SOURCE` and the order in which they stand; what an event is, `changes` knows.
"""

from __future__ import annotations

from typing import Final

from stenograph.envelope.emitters import long_bytes, string_bytes
from stenograph.sources.postgres.changes import CONNECTOR
from stenograph.sources.postgres.table import CapturedTable

_NULL: Final = b"\0"
_SOME: Final = b"\2"
_UNKNOWN: Final = _NULL * 3
"""xmin, origin, origin_lsn."""


class SourceBlock:
    """One table's pieces.

    A whole block is `head`, the JSON text of the sequence with its length, `middle`, the LSN, and `in_transaction`
    or OUTSIDE, with the two numbers after the first.
    """

    __slots__ = ("_before", "_between", "_names")

    def __init__(self, table: CapturedTable, source: str, database: str) -> None:
        self._before = b"".join(map(string_bytes, (table.encoder.version, CONNECTOR, source)))
        self._between = string_bytes(database) + _SOME
        of = table.form.wire.table
        self._names = string_bytes(of.schema) + string_bytes(of.name)

    def head(self, committed_at: int, snapshot: str) -> bytes:
        """From `version` to before the sequence; the time is in µs since 1970."""
        # Null is the second branch of `snapshot`.
        marker = _NULL + string_bytes(snapshot)
        return self._before + long_bytes(committed_at // 1000) + marker + self._between

    def middle(self, committed_at: int, transaction_id: int | None) -> bytes:
        """From `ts_us` to before the LSN."""
        nanos = committed_at * 1000
        # After 2262 an Avro long cannot count nanoseconds.
        known = _SOME + long_bytes(nanos) if nanos < 2**63 else _NULL
        xid = _NULL if transaction_id is None else _SOME + long_bytes(transaction_id)
        return _SOME + long_bytes(committed_at) + known + self._names + xid + _SOME

    def outside(self, committed_at: int, snapshot: str, sequence: str, lsn: int) -> bytes:
        """The whole block of an event that no transaction made."""
        head, middle = self.head(committed_at, snapshot), self.middle(committed_at, None)
        return head + string_bytes(sequence) + middle + long_bytes(lsn) + OUTSIDE


OUTSIDE: Final = _UNKNOWN + _NULL


def in_transaction(transaction: str) -> bytes:
    """From after the LSN to before the event's numbers in the transaction."""
    return _UNKNOWN + _SOME + string_bytes(transaction)


def clock_bytes(nanos: int) -> bytes:
    """`ts_ms`, `ts_us` and `ts_ns` of an envelope, from a clock in ns since 1970."""
    return b"".join(_SOME + long_bytes(nanos // unit) for unit in (1_000_000, 1_000, 1))
