"""A captured table in one of its shapes: how its tuples become rows, and under which schemas they are encoded.

Asks the catalogue and the registry once, when it is made; a shape never changes afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stenograph.envelope.codec import EventEncoder
from stenograph.envelope.headers import Unheld
from stenograph.envelope.table import POSTGRES_SOURCE, WireColumn, WireTable
from stenograph.errors import SourceRefused
from stenograph.events import Missing, Row, TableId
from stenograph.ports import SchemaRegistry
from stenograph.sources.postgres.catalogue import Catalogue, PgColumn
from stenograph.sources.postgres.defaults import constant
from stenograph.sources.postgres.messages import NotSent, Relation, TupleData
from stenograph.sources.postgres.types import wire_type
from stenograph.sources.postgres.values import Read


@dataclass(frozen=True, slots=True)
class TableForm:
    """A table's wire shape and the function for each column's text, in the columns' order."""

    wire: WireTable
    reads: tuple[Read, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in order."""
        return tuple(column.name for column in self.wire.columns)

    def row(self, values: Sequence[bytes | NotSent | None]) -> dict[str, object]:
        """The wire row of a tuple; what was not sent is Missing.UNCHANGED."""
        row: dict[str, object] = {}
        for column, read, raw in zip(self.wire.columns, self.reads, values, strict=True):
            if isinstance(raw, bytes):
                row[column.name] = read(raw)
            else:
                row[column.name] = Missing.UNCHANGED if raw is NotSent.UNCHANGED else None
        return row

    def key(self, row: Row) -> dict[str, object] | None:
        """The row's key; None for a table without a primary key.

        Raise SourceRefused for a value that the wire's type cannot hold: rows would be told apart by something else.
        """
        for name in self.wire.key:
            if isinstance(row[name], Unheld):
                raise _unheld_key(self.wire.table, name)
        return {name: row[name] for name in self.wire.key} if self.wire.key else None

    def nulls_refused(self, row: Row) -> frozenset[str]:
        """Columns that are null in the row and not null in the schema: the schema is newer than the row."""
        return frozenset(c.name for c in self.wire.columns if not c.nullable and row[c.name] is None)

    def with_nullable(self, names: frozenset[str]) -> TableForm:
        """The same form with these columns nullable."""
        columns = tuple(replace(c, nullable=True) if c.name in names else c for c in self.wire.columns)
        return replace(self, wire=replace(self.wire, columns=columns))


def _unheld_key(table: TableId, column: str) -> SourceRefused:
    return SourceRefused(
        f"A row of {table} has a primary key that cannot be sent: Avro has no such value for the column's type.",
        hint="Give the row another key (NaN and infinity are such values), then begin anew: `steno capture --anew`; "
        "or take the table out of the pipeline file.",
        table=table,
        column=column,
    )


@dataclass(frozen=True, slots=True)
class CapturedTable:
    """A form under the ids of its registered schemas. `identity` is the relation's replica identity."""

    form: TableForm
    encoder: EventEncoder
    oid: int
    identity: str

    @property
    def sends_full_rows(self) -> bool:
        """Whether an old tuple holds every column."""
        return self.identity == "f"


def form_of_relation(relation: Relation, prefix: str, key: Sequence[str], catalogue: Catalogue) -> TableForm:
    """The form that a Relation message describes.

    Whether a column takes null and its default come from the catalogue, where the column is still of that type;
    a column that was dropped or retyped since is nullable and has no default.
    """
    now = {(c.name, c.type_oid): c for c in catalogue.columns(relation.oid)}
    columns = [
        now.get((c.name, c.type_oid), PgColumn(c.name, c.type_oid, c.typmod, False, None))  # noqa: FBT003
        for c in relation.columns
    ]
    with_typmod = [
        replace(column, typmod=sent.typmod) for column, sent in zip(columns, relation.columns, strict=True)
    ]
    return _form(TableId(relation.schema, relation.name), prefix, key, with_typmod, catalogue)


def form_of_table(
    table: TableId,
    oid: int,
    prefix: str,
    key: Sequence[str],
    sent: frozenset[str] | None,
    catalogue: Catalogue,
) -> TableForm:
    """The form of a table as the catalogue has it; `sent` names the columns that its publication sends."""
    columns = [c for c in catalogue.columns(oid) if (not c.generated if sent is None else c.name in sent)]
    return _form(table, prefix, key, columns, catalogue)


def _form(
    table: TableId, prefix: str, key: Sequence[str], columns: Sequence[PgColumn], catalogue: Catalogue
) -> TableForm:
    types = catalogue.types({column.type_oid for column in columns})
    wire, reads = [], []
    for column in columns:
        of = wire_type(column.type_oid, column.typmod, types)
        nullable = not column.not_null and column.name not in key
        wire.append(WireColumn(column.name, of.avro, nullable, constant(column.default, of)))
        reads.append(of.read)
    return TableForm(WireTable(prefix, table, tuple(wire), tuple(key)), tuple(reads))


class CapturedTables:
    """Makes captured tables, registering each schema once."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry
        self._ids: dict[tuple[str, str], int] = {}

    def captured(self, form: TableForm, oid: int, identity: str) -> CapturedTable:
        """The form with its encoder; raises what the registry raises."""
        topic = form.wire.topic
        key_schema = form.wire.key_schema()
        key_id = None if key_schema is None else self._id(f"{topic}-key", key_schema)
        value_id = self._id(f"{topic}-value", form.wire.value_schema(POSTGRES_SOURCE))
        return CapturedTable(form, EventEncoder(form.wire, key_id, value_id), oid, identity)

    def _id(self, subject: str, schema: str) -> int:
        known = self._ids.get((subject, schema))
        if known is None:
            known = self._registry.register(subject, schema)
            self._ids[subject, schema] = known
        return known


def full_new_row(form: TableForm, new: TupleData, old: TupleData | None) -> dict[str, object]:
    """The row after a change; an unchanged TOASTed value is taken from the old tuple where that holds it.

    A full old tuple holds all of them, one of the key those of the key.
    """
    if old is not None and NotSent.UNCHANGED in new:
        new = tuple(
            o if n is NotSent.UNCHANGED and isinstance(o, bytes) else n for n, o in zip(new, old, strict=True)
        )
    return form.row(new)
