"""The rows that quarantine excuses: those whose newest change may lie there instead of in history.

Excuses nothing in another table, and nothing for ever that a key does not name.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from stenograph.envelope.casts import lossless
from stenograph.envelope.values import converter
from stenograph.errors import RecordUnreadable, ValueOutOfRange
from stenograph.history import arrow_type, plain_rows, row_digest
from stenograph.ports import SetAside
from stenograph.schemas import TablePlan, TableShape, UnknownAvroType, column_type
from stenograph.sink import Readers


class Excuses:
    """What was set aside, by topic. `keyless` are the topics of which some record names no key that can be read."""

    def __init__(self, aside: Sequence[SetAside], readers: Readers) -> None:
        self._readers = readers
        self._keys: dict[str, list[bytes]] = {}
        self.keyless: set[str] = set()
        for record in aside:
            topic = record.partition.topic
            if record.key is not None and self._is_readable(record.key):
                self._keys.setdefault(topic, []).append(record.key)
            else:
                self.keyless.add(topic)

    def has(self, plan: TablePlan) -> bool:
        """Whether anything of the table was set aside."""
        return plan.topic in self.keyless or plan.topic in self._keys

    def of(self, plan: TablePlan, shape: TableShape) -> set[bytes]:
        """Digests of the excused keys as history holds them, in the order of `shape.key`.

        A key of other columns than the table has now excuses nothing, nor does one that history cannot hold.
        """
        digests = (self._digest(key, plan, shape) for key in self._keys.get(plan.topic, ()))
        return {digest for digest in digests if digest is not None}

    def _is_readable(self, key: bytes) -> bool:
        try:
            self._readers.key(key).read(key)
        except RecordUnreadable:
            return False
        return True

    def _digest(self, message: bytes, plan: TablePlan, shape: TableShape) -> bytes | None:
        reader = self._readers.key(message)
        wire = reader.read(message)
        columns = {plan.renames.get(column.name, column.name): column for column in reader.wire}
        if set(columns) != set(shape.key):
            return None
        held = {}
        for name in shape.key:
            stored, avro = shape.column(name), columns[name].avro
            try:
                cast = None if stored is None else lossless(column_type(avro), stored.type)
                if stored is None or cast is None:
                    return None
                value = cast.value(converter(avro)(wire[columns[name].name]))
            except (UnknownAvroType, ValueOutOfRange):
                return None
            held[name] = pa.array([value], arrow_type(stored.type))
        return row_digest(next(plain_rows(pa.table(held))))
