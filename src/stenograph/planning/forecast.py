"""Holds what each table's newest schema needs against what its history table has.

Reads no record: the newest writer's schema is the registry's latest, which is ahead of what the sink has read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stenograph.envelope.mapping import RowMapping
from stenograph.envelope.reading import EventReader, KeyReader
from stenograph.errors import SchemaConflict
from stenograph.ports import Planned, SchemaRegistry, WarehousePlan
from stenograph.schemas import Column, Evolution, SchemaChange, TablePlan, TableShape
from stenograph.sink import evolved


class State(StrEnum):
    """What is to be done for one table."""

    DONE = "nothing to do"
    CREATE = "to be made"
    CHANGE = "to be changed"
    UNKNOWN = "shape unknown"
    """No schema is registered and there is no model: the first change will tell."""
    CONFLICT = "conflict"
    """No change lets the table hold its newest rows."""


_NOTHING = Planned()


@dataclass(frozen=True, slots=True)
class Forecast:
    """One table: `change` is None where nothing is to be done or can be; `conflict` says why it cannot."""

    plan: TablePlan
    state: State
    known: TableShape | None = None
    change: SchemaChange | None = None
    planned: Planned = _NOTHING
    conflict: SchemaConflict | None = None

    @property
    def is_pending(self) -> bool:
        """Whether `steno apply` has something to run."""
        return self.change is not None

    def as_json(self) -> dict[str, object]:
        """The table as JSON takes it."""
        change, known = self.change, self.known
        widens = () if change is None else change.widens
        before = {column.name: column.type for column in (() if known is None else known.columns)}
        return {
            "table": str(self.plan.table),
            "history": self.plan.history,
            "model": None
            if self.plan.model is None
            else f"{self.plan.model.name} v{self.plan.model.version}",
            "evolution": self.plan.evolution.value,
            "state": self.state.value,
            "adds": [
                {"column": column.name, "type": str(column.type)}
                for column in (change.adds if change else ())
            ],
            "widens": [
                {"column": column.name, "from": str(before[column.name]), "to": str(column.type)}
                for column in widens
            ],
            "bookkeeping": list(self.planned.bookkeeping),
            "statements": list(self.planned.table),
            "views": list(self.planned.views),
            "conflict": None if self.conflict is None else str(self.conflict),
            "hint": None if self.conflict is None else self.conflict.hint,
        }


def forecasts(
    plans: Sequence[TablePlan], registry: SchemaRegistry, warehouse: WarehousePlan
) -> tuple[Forecast, ...]:
    """What is to be done for each table, whatever its policy. Raises what registry and warehouse raise."""
    return tuple(_forecast(plan, registry, warehouse) for plan in plans)


def _forecast(plan: TablePlan, registry: SchemaRegistry, warehouse: WarehousePlan) -> Forecast:
    known = warehouse.shape(plan.history)
    try:
        need = _needed(plan, registry)
        if need is None:
            return Forecast(plan, State.UNKNOWN, known)
        change = evolved(plan, known, _possible(plan, known, need))
        if change is None:
            return Forecast(plan, State.DONE, known)
        state = State.CREATE if known is None else State.CHANGE
        return Forecast(plan, state, known, change, warehouse.planned(change))
    except SchemaConflict as conflict:
        return Forecast(plan, State.CONFLICT, known, conflict=conflict)


def _possible(plan: TablePlan, known: TableShape | None, need: TableShape) -> TableShape:
    """What of the shape there is to plan: with `ignore`, a column that the table can never take stays beside it."""
    if known is None or plan.evolution is not Evolution.IGNORE:
        return need
    columns = (column for column in need.columns if column.name in need.key or _fits(plan, known, column))
    return TableShape(tuple(columns), need.key)


def _fits(plan: TablePlan, known: TableShape, column: Column) -> bool:
    try:
        evolved(plan, known, TableShape((column,), ()))
    except SchemaConflict:
        return False
    return True


def _needed(plan: TablePlan, registry: SchemaRegistry) -> TableShape | None:
    value, key = registry.latest(f"{plan.topic}-value"), registry.latest(f"{plan.topic}-key")
    if value is None:
        return None if plan.model is None else plan.model.shape
    columns = () if key is None else KeyReader(key[1]).columns
    return RowMapping(plan, EventReader(value[1]).columns, columns).shape
