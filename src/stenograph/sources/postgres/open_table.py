"""A captured table's encoders, and the table in one transaction: what its events there have in common.

Encodes nothing itself: `express` drives the compiled functions, `columnar.run` the emitters of whole columns.
"""

from __future__ import annotations

from functools import cached_property

from stenograph.envelope.emitters import long_bytes
from stenograph.sources.postgres.columnar.blocks import Blocks
from stenograph.sources.postgres.columnar.table import ColumnarTable
from stenograph.sources.postgres.compiled import CompiledTable, Encoded
from stenograph.sources.postgres.generated import write_out
from stenograph.sources.postgres.source_block import SourceBlock
from stenograph.sources.postgres.table import CapturedTable
from stenograph.sources.postgres.transaction import OpenTransaction


class TableEncoders:
    """The two encoders of a captured table, each made when it is first needed, and the pieces of its source block."""

    def __init__(self, table: CapturedTable, source: str, database: str) -> None:
        self.compiled = CompiledTable(table)
        write_out(self.compiled)
        self.block = SourceBlock(table, source, database)

    @cached_property
    def columnar(self) -> ColumnarTable:
        """For many changes at once."""
        return ColumnarTable(self.compiled)


class OpenTable:
    """A table in one transaction. `begin` stands before the text of an LSN of `width` digits, `middle` after it."""

    __slots__ = ("_head", "_previous", "begin", "change", "encoders", "middle", "tally", "topic", "width")

    def __init__(self, encoders: TableEncoders, transaction: OpenTransaction) -> None:
        begin, previous = transaction.begin, transaction.previous
        self.encoders = encoders
        self.change = encoders.compiled.change
        self.topic = encoders.compiled.topic
        self._head = encoders.block.head(begin.committed_at, "false")
        self._previous = b'[null,"' if previous is None else b'["%d","' % previous
        self.begin = b""
        self.width = 0
        self.middle = b'"]' + encoders.block.middle(begin.committed_at, begin.xid)
        self.tally = transaction.tally(encoders.compiled.table.form.wire.table)

    def before(self, width: int) -> bytes:
        """What stands before an LSN of so many digits: the sequence's length is part of it."""
        return self._head + long_bytes(len(self._previous) + width + 2) + self._previous

    def widen(self, width: int) -> None:
        """Prepare `begin` for LSNs of so many digits."""
        self.width = width
        self.begin = self.before(width)

    def one(self, frame: bytes, lsn: int, block: bytes, total: int, events: int, now: bytes) -> Encoded:
        """One change with these numbers; raises what the compiled function raises."""
        digits = b"%d" % lsn
        numbers = long_bytes(lsn), block, long_bytes(total), long_bytes(events)
        return self.change(frame, self.before(len(digits)), digits, self.middle, *numbers, now)

    def blocks(self, block: bytes, now: bytes) -> Blocks:
        """The parts of many changes' source blocks."""
        return Blocks(self.before, self.middle, block, now)
