"""A small table and its changes, for tests that need real events without a database.

Builds values only: nothing here opens a log or a warehouse.
"""

from __future__ import annotations

from collections.abc import Mapping

from stenograph.envelope.codec import EventEncoder
from stenograph.envelope.table import POSTGRES_SOURCE, WireColumn, WireTable
from stenograph.events import ChangeEvent, KeyChange, Op, Origin, Row, TableId, Transaction
from stenograph.ports import SchemaRegistry
from stenograph.schemas import TablePlan

SOURCE = "crm"
LANE = "crm/stream/7-1"
GAPS = "crm.steno-gaps"
EPOCH = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in microseconds; commit n happens n seconds later."""

LEAD = WireTable(
    prefix=SOURCE,
    table=TableId("public", "lead"),
    columns=(
        WireColumn("id", "long", nullable=False),
        WireColumn("status", "string", nullable=False, default="new"),
        WireColumn("score", "int", nullable=True),
        WireColumn("notes", "string", nullable=True),
    ),
    key=("id",),
)
CONTACT = WireTable(SOURCE, TableId("public", "contact"), LEAD.columns, ("id",))
LOG = WireTable(SOURCE, TableId("public", "log"), (WireColumn("line", "string", nullable=True),), ())


def plan_of(table: WireTable, *, keep_before: bool = False) -> TablePlan:
    """The table stored in its own shape."""
    return TablePlan(SOURCE, table.table, table.topic, f"{table.table.name}_history", keep_before=keep_before)


def encoder_of(table: WireTable, registry: SchemaRegistry) -> EventEncoder:
    """The table's encoder, with its schemas registered."""
    key = table.key_schema()
    key_id = None if key is None else registry.register(f"{table.topic}-key", key)
    value_id = registry.register(f"{table.topic}-value", table.value_schema(POSTGRES_SOURCE))
    return EventEncoder(table, key_id, value_id)


def lead(
    number: int, status: str = "new", *, score: int | None = None, notes: object = None
) -> dict[str, object]:
    """A lead's row."""
    return {"id": number, "status": status, "score": score, "notes": notes}


def change(
    op: Op,
    row: Mapping[str, object] | None,
    commit: int,
    *,
    table: WireTable = LEAD,
    before: Row | None = None,
    before_is_full: bool = False,
    key_change: KeyChange | None = None,
    related_key: Row | None = None,
    committed_at: int | None = None,
    place: int = 1,
) -> ChangeEvent:
    """A change in transaction `commit`, of the row after it, or of the row that a delete takes away."""
    at = EPOCH + commit * 1_000_000 if committed_at is None else committed_at
    key = {name: row[name] for name in table.key} if row is not None and table.key else None
    gone = op in (Op.DELETE, Op.TRUNCATE)
    return ChangeEvent(
        op=op,
        origin=Origin(
            connector="postgresql",
            source=SOURCE,
            database="crm",
            table=table.table,
            committed_at=at,
            snapshot="true" if op is Op.SNAPSHOT else "false",
            sequence=f'[null,"{commit}"]',
            transaction_id=commit,
            lsn=commit * 16,
        ),
        key=key,
        before=before if before is not None or op is not Op.DELETE else key,
        after=None if gone else row,
        observed_at=(EPOCH + commit * 1_000_000 + 5) * 1000,
        before_is_full=before_is_full,
        transaction=None if op is Op.SNAPSHOT else Transaction(f"{commit}:{commit * 16}", place, place),
        key_change=key_change,
        related_key=related_key,
    )
