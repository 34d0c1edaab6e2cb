"""Readers of writer schemas, by the id in a record's first bytes; each schema is fetched once.

Invariant 12: a record is read with the schema that it was written with, whatever has been registered since.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from stenograph.envelope.columnar import ColumnarEvents, ColumnarKeys, NotColumnar
from stenograph.envelope.framing import schema_id_of
from stenograph.envelope.mapping import RowMapping
from stenograph.envelope.reading import EventReader, KeyReader
from stenograph.errors import RecordUnreadable
from stenograph.ports import SchemaRegistry
from stenograph.schemas import SchemaId, TablePlan

R = TypeVar("R", ColumnarKeys, ColumnarEvents)


class Readers:
    """All readers of one process. Raises RegistryUnavailable as the registry does."""

    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry
        self._keys: dict[SchemaId, KeyReader] = {}
        self._events: dict[SchemaId, EventReader] = {}
        self._columnar_keys: dict[SchemaId, ColumnarKeys | None] = {}
        self._columnar_events: dict[SchemaId, ColumnarEvents | None] = {}
        self._mappings: dict[tuple[str, SchemaId, tuple[str, ...] | None], tuple[TablePlan, RowMapping]] = {}

    def key(self, message: bytes) -> KeyReader:
        """The reader for this key; raise RecordUnreadable if there is none."""
        schema_id = schema_id_of(message)
        if schema_id not in self._keys:
            self._keys[schema_id] = KeyReader(self._schema(schema_id))
        return self._keys[schema_id]

    def event(self, message: bytes) -> EventReader:
        """The reader for this value; raise RecordUnreadable if there is none."""
        schema_id = schema_id_of(message)
        if schema_id not in self._events:
            self._events[schema_id] = EventReader(self._schema(schema_id))
        return self._events[schema_id]

    def columnar_keys(self, schema_id: SchemaId) -> ColumnarKeys | None:
        """The reader of many keys of that schema at once; None where they are for the reference to read or refuse."""
        return self._columnar(self._columnar_keys, ColumnarKeys, schema_id)

    def columnar_events(self, schema_id: SchemaId) -> ColumnarEvents | None:
        """The reader of many values of that schema at once; None where they are for the reference."""
        return self._columnar(self._columnar_events, ColumnarEvents, schema_id)

    def mapping(self, plan: TablePlan, message: bytes, key: tuple[str, ...] | None) -> RowMapping:
        """How rows of this writer schema become the plan's history rows; raise SchemaConflict."""
        schema_id = schema_id_of(message)
        known = self._mappings.get((plan.topic, schema_id, key))
        if known is None or known[0] is not plan:
            # A topic has one plan, but for who tries what an earlier one would have made.
            known = (plan, RowMapping(plan, self.event(message).columns, key))
            self._mappings[plan.topic, schema_id, key] = known
        return known[1]

    def _columnar(
        self, known: dict[SchemaId, R | None], make: Callable[[str, SchemaId], R], schema_id: SchemaId
    ) -> R | None:
        if schema_id not in known:
            try:
                known[schema_id] = make(self._schema(schema_id), schema_id)
            except NotColumnar:
                known[schema_id] = None
            except RecordUnreadable:
                # A schema that the registry does not have yet is asked for again.
                return None
        return known[schema_id]

    def _schema(self, schema_id: SchemaId) -> str:
        schema = self._registry.fetch(schema_id)
        if schema is None:
            raise RecordUnreadable(
                "The registry has no schema of the id that the record names.",
                hint="Find out who writes to this topic, or restore the registry; "
                "the record is in quarantine with its exact bytes.",
                schema_id=schema_id,
            )
        return schema
