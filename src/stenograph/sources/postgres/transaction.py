"""A source transaction while its changes arrive: the numbers that its events carry.

Holds none of its changes, so a transaction may be of any size.
"""

from __future__ import annotations

from collections import Counter

from stenograph.events import TableId, Transaction
from stenograph.offsets import order_of
from stenograph.sources.postgres.messages import Begin


class OpenTransaction:
    """Counts a transaction's changes. All numbers are the same when the transaction is sent again."""

    def __init__(self, begin: Begin, run: int) -> None:
        self.begin = begin
        self._run = run
        self._id: str | None = None
        self._total = 0
        self._of_table: Counter[TableId] = Counter()
        self._lsn = 0
        self._ordinal = 0

    def orders(self, lsn: int, count: int) -> list[bytes]:
        """Orders for the `count` events that the change at `lsn` may become, used or not (Invariant 4).

        Called for every change, also of tables that are not captured: what is captured may change between two
        sendings, and an order must not.
        """
        if lsn != self._lsn:
            self._lsn, self._ordinal = lsn, 0
        first = self._ordinal
        self._ordinal += count
        return [order_of(self._run, self.begin.final_lsn, lsn, first + place) for place in range(count)]

    def block(self, table: TableId, lsn: int) -> Transaction:
        """The next event's place; the id is made of the xid and the first captured change's LSN."""
        if self._id is None:
            self._id = f"{self.begin.xid}:{lsn}"
        self._total += 1
        self._of_table[table] += 1
        return Transaction(self._id, self._total, self._of_table[table])
