"""A source transaction while its changes arrive: the numbers that its events carry.

Holds none of its changes, so a transaction may be of any size.
"""

from __future__ import annotations

from stenograph.events import TableId, Transaction
from stenograph.offsets import order_of
from stenograph.sources.postgres.messages import Begin

ORDINALS = 2
"""A change may become two events, so it takes two places (Invariant 4)."""


class Tally:
    """How many events of one table the transaction has had."""

    __slots__ = ("events",)

    def __init__(self) -> None:
        self.events = 0


class OpenTransaction:
    """Counts a transaction's changes. All numbers are the same when the transaction is sent again.

    `previous` is the end of the commit before it. `express` counts in the attributes too: `total` events so far,
    `ordinal` places taken at `lsn`.
    """

    __slots__ = ("_id", "_tallies", "begin", "lsn", "ordinal", "previous", "run", "total")

    def __init__(self, begin: Begin, run: int, previous: int | None) -> None:
        self.begin = begin
        self.run = run
        self.previous = previous
        self.total = 0
        self.lsn = 0
        self.ordinal = 0
        self._id: str | None = None
        self._tallies: dict[TableId, Tally] = {}

    def orders(self, lsn: int, count: int) -> list[bytes]:
        """Orders for the `count` events that the change at `lsn` may become, used or not (Invariant 4).

        Called for every change, also of tables that are not captured: what is captured may change between two
        sendings, and an order must not.
        """
        if lsn != self.lsn:
            self.lsn, self.ordinal = lsn, 0
        first = self.ordinal
        self.ordinal += count
        return [order_of(self.run, self.begin.final_lsn, lsn, first + place) for place in range(count)]

    def id(self, lsn: int) -> str:
        """The id in the events: the xid and the LSN of the first captured change, which is this one if none was."""
        if self._id is None:
            self._id = f"{self.begin.xid}:{lsn}"
        return self._id

    def tally(self, table: TableId) -> Tally:
        """The table's counter."""
        known = self._tallies.get(table)
        if known is None:
            known = self._tallies[table] = Tally()
        return known

    def block(self, table: TableId, lsn: int) -> Transaction:
        """The next event's place."""
        tally = self.tally(table)
        self.total += 1
        tally.events += 1
        return Transaction(self.id(lsn), self.total, tally.events)
