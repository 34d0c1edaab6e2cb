"""The shapes of the history tables, and how they grow under each table's evolution policy.

Keeps what the warehouse said last; looks again before it changes or refuses anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from stenograph.envelope.casts import is_cast_up
from stenograph.errors import SchemaConflict
from stenograph.ports import Warehouse
from stenograph.schemas import Evolution, SchemaChange, TablePlan, TableShape
from stenograph.sink.evolution import evolved, without_texts

_NOTHING = TableShape((), ())


class HistoryShapes:
    """The history tables of one sink."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._known: dict[str, TableShape] = {}
        self._fitting: dict[str, set[TableShape]] = {}

    def forget(self) -> None:
        """Ask the warehouse anew at the next use."""
        self._known, self._fitting = {}, {}

    def grown(self, plan: TablePlan, needs: Sequence[TableShape]) -> TableShape:
        """The table's shape once it can hold rows of these shapes, oldest first, as far as its policy allows.

        Raise SchemaConflict, which pauses the topic, where it does not.
        """
        known = self._known.get(plan.history)
        if known is not None and self._fitting[plan.history].issuperset(needs):
            return known
        if known is None or any(_asks(plan, known, need) for need in needs):
            # Another sink or `steno apply` may have changed the table since.
            known = self._warehouse.shape(plan.history)
        try:
            for need in needs:
                known = self._grow(plan, known, need)
        except SchemaConflict as conflict:
            # The warehouse knows tables, the supervisor pauses topics.
            conflict.facts.setdefault("topic", plan.topic)
            raise
        if known is None:
            return _NOTHING
        if self._known.get(plan.history) != known:
            self._known[plan.history], self._fitting[plan.history] = known, set()
        self._fitting[plan.history].update(need for need in needs if not _asks(plan, known, need))
        return known

    def _grow(self, plan: TablePlan, known: TableShape | None, need: TableShape) -> TableShape:
        change = allowed(plan, known, need)
        if change is None:
            assert known is not None
            return known
        if plan.evolution is Evolution.FREEZE and known is not None:
            raise self._frozen(plan, change)
        self._warehouse.evolve(change)
        # What the warehouse says counts: another sink may have added columns of its own.
        return self._warehouse.shape(plan.history) or change.shape

    def _frozen(self, plan: TablePlan, change: SchemaChange) -> SchemaConflict:
        return SchemaConflict(
            "The table's shape changed, and its history is frozen.",
            hint="Run `steno apply`, which runs this statement and makes the views anew, then start the sink again; "
            "nothing is lost meanwhile.",
            topic=plan.topic,
            table=plan.history,
            statement=" ".join(self._warehouse.planned(change).table) or "(the key and the views alone)",
        )


def allowed(plan: TablePlan, known: TableShape | None, need: TableShape) -> SchemaChange | None:
    """The change that the policy allows, or for a frozen table asks for; None where the table stays as it is.

    Raise SchemaConflict where rows of that shape can be stored in no way.
    """
    match plan.evolution:
        case Evolution.EVOLVE:
            return evolved(plan, known, need)
        case Evolution.FREEZE:
            change = evolved(plan, known, without_texts(need))
            return None if _is_of_an_older_key(known, change) else change
        case Evolution.IGNORE:
            return (
                evolved(plan, None, without_texts(need)) if known is None else _key_alone(plan, known, need)
            )
        case _:
            assert_never(plan.evolution)


def _is_of_an_older_key(known: TableShape | None, change: SchemaChange | None) -> bool:
    """Whether nothing but a key is asked for that the table had before: rows from before the newest key are late."""
    if known is None or change is None or change.adds or change.widens:
        return False
    return change.shape.key in known.held_keys


def _key_alone(plan: TablePlan, known: TableShape, need: TableShape) -> SchemaChange | None:
    for name in need.key:
        column, there = need.column(name), known.column(name)
        if column is not None and (there is None or not is_cast_up(column.type, there)):
            raise SchemaConflict(
                "The table's key changed, and its history may not take the new key's columns.",
                hint="Run `steno apply`, then start the sink again; nothing is lost meanwhile.",
                topic=plan.topic,
                table=plan.history,
                column=name,
            )
    if not need.key or need.key == known.key:
        return None
    return SchemaChange(plan.history, TableShape(known.columns, need.key), (), plan.track)


def _asks(plan: TablePlan, known: TableShape, need: TableShape) -> bool:
    try:
        return evolved(plan, known, need) is not None
    except SchemaConflict:
        return True
