"""The change event: one committed change of one row, as the readable paths hold it.

Encodes nothing and knows no source: the hot path carries bytes and never builds one of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum


class Missing(Enum):
    """What stands where a column has no value and is not null either."""

    UNCHANGED = "unchanged"
    """The source did not send the column in this change: it keeps the value it had."""


Row = Mapping[str, object]
"""Column name to wire value, in the table's column order; `Missing.UNCHANGED` where nothing was sent."""


class Op(StrEnum):
    """What happened to the row, in the words of the history tables."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    SNAPSHOT = "snapshot"
    TRUNCATE = "truncate"

    @property
    def code(self) -> str:
        """The envelope's letter: Debezium's `op`."""
        return _CODE_OF[self]

    @classmethod
    def of_code(cls, code: str) -> Op:
        """The operation of an envelope's letter; KeyError for a letter that is none of ours."""
        return _OP_OF[code]


_CODE_OF = {Op.CREATE: "c", Op.UPDATE: "u", Op.DELETE: "d", Op.SNAPSHOT: "r", Op.TRUNCATE: "t"}
_OP_OF = {code: op for op, code in _CODE_OF.items()}


@dataclass(frozen=True, slots=True, order=True)
class TableId:
    """A table's name at its source."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    def topic(self, prefix: str) -> str:
        """The table's topic, `<prefix>.<schema>.<table>`; a character that Kafka refuses becomes `_`."""
        return re.sub(r"[^A-Za-z0-9._-]", "_", f"{prefix}.{self}")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the source says a change came from: the facts of Debezium's `source` block.

    `committed_at` is in microseconds since 1970 UTC, as the source said it. `sequence` is JSON text
    `["<end LSN of the previous commit>","<LSN of this change>"]`. `snapshot` is Debezium's word:
    "false" for a streamed change, else "first", "true" or "last".
    """

    connector: str
    source: str
    database: str
    table: TableId
    committed_at: int
    snapshot: str = "false"
    sequence: str | None = None
    transaction_id: int | None = None
    lsn: int | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A change's place in its source transaction, counted from 1."""

    id: str
    total_order: int
    table_order: int


class KeyChange(StrEnum):
    """Which half of a primary-key change an event is; the value is Debezium's header."""

    LEFT = "__debezium.newkey"
    """The delete of the old key; `related_key` is the new one."""
    ARRIVED = "__debezium.oldkey"
    """The create of the new key; `related_key` is the old one."""


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """One change of one row.

    `key` is None only for a truncate and for a table without a primary key. `before` is None where the
    source sent none. `after` is None only for a delete and a truncate. `before_is_full` says that every
    column of `before` is real; otherwise only the key's columns are, whatever the others hold.
    `observed_at` is the capturer's clock in nanoseconds since 1970 UTC. `texts` holds the exact text of columns whose
    value the wire's type cannot hold; they are null in the row.
    """

    op: Op
    origin: Origin
    key: Row | None
    before: Row | None
    after: Row | None
    observed_at: int
    before_is_full: bool = False
    transaction: Transaction | None = None
    key_change: KeyChange | None = None
    related_key: Row | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
