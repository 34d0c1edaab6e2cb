"""What a history table must become so that rows of a new shape can be stored beside the old.

Only adds columns and widens types: what would lose a value is never done.
"""

from __future__ import annotations

import json
from dataclasses import replace

from stenograph.envelope.casts import is_cast_up, lossless
from stenograph.envelope.json_text import json_text
from stenograph.envelope.values import converter
from stenograph.errors import SchemaConflict
from stenograph.schemas import Column, ColumnType, Kind, Lift, SchemaChange, TablePlan, TableShape

_WAY_OUT = (
    "Set `evolution: ignore` for the table, which keeps such values in _steno_extra, or map the column onto another "
    "field of a model; then start the sink again. A new name at the source helps only what is sent from then on. "
    "Nothing is lost meanwhile."
)


def evolved(plan: TablePlan, known: TableShape | None, need: TableShape) -> SchemaChange | None:
    """The change that makes the table hold rows of the shape `need`; None where it does already.

    A column that the source dropped stays, a wider type stays: rows of an older schema are cast up. The key follows the
    newest schema that has one. Raise SchemaConflict for a type that cannot be widened without loss.
    """
    if known is None:
        return SchemaChange(plan.history, need, need.columns, plan.track)
    adds: list[Column] = []
    widens: list[Column] = []
    folded = {column.name.lower() for column in known.columns}
    for column in need.columns:
        there = known.column(column.name)
        if there is None and column.text_of is not None and column.name.lower() in folded:
            # Many a warehouse takes the two names for one.
            continue
        if there is None:
            adds.append(replace(column, lift=_lift(plan, column)))
        elif column.text_of is None and there.text_of is not None:
            raise _taken_by_texts(plan, column)
        elif there.text_of != column.text_of or is_cast_up(column.type, there):
            # An exact text whose column's name is the source's own stands in `_steno_extra`.
            continue
        elif _is_widened(there, column.type):
            held = (*there.held, there.type)
            widens.append(replace(there, type=column.type, held=held, lift=_lift(plan, column)))
        else:
            raise _retyped(plan, there, column)
    key = need.key or known.key
    if not adds and not widens and key == known.key:
        return None
    wider = {column.name: column for column in widens}
    columns = (*(wider.get(column.name, column) for column in known.columns), *adds)
    return SchemaChange(plan.history, TableShape(columns, key), tuple(adds), plan.track, tuple(widens))


def without_texts(need: TableShape) -> TableShape:
    """The shape without columns for exact texts: what the source or the model asks for."""
    return TableShape(tuple(column for column in need.columns if column.text_of is None), need.key)


def _is_widened(there: Column, to: ColumnType) -> bool:
    if there.held and _innermost(there.type) is Kind.DECIMAL and _innermost(to) is Kind.NUMBER_TEXT:
        # Its old values have the digits of a scale that they were not sent with.
        return False
    return lossless(there.type, to) is not None


def _innermost(of: ColumnType) -> Kind:
    while of.element is not None:
        of = of.element
    return of.kind


def _lift(plan: TablePlan, column: Column) -> Lift:
    """Where rows that are stored already have the column's value: beside the model, or nowhere."""
    sources = {field: source for source, field in plan.renames.items()}
    source = sources.get(column.name, column.name)
    if plan.model is None or column.text_of is not None:
        return Lift(source)
    versions = (*plan.earlier, plan.model)
    since = next(model.version for model in versions if model.shape.column(column.name) is not None)
    default = plan.model.defaults.get(column.name)
    if default is None:
        return Lift(source, since)
    text = json_text(converter(default.avro)(default.datum), column.type)
    return Lift(source, since, json.loads(text) if text.startswith('"') else text)


def _retyped(plan: TablePlan, there: Column, column: Column) -> SchemaConflict:
    return SchemaConflict(
        "A column's type changed at the source, and the history table's type cannot be widened to hold both.",
        hint=_WAY_OUT,
        topic=plan.topic,
        table=plan.history,
        column=column.name,
        stored=there.type,
        sent=column.type,
    )


def _taken_by_texts(plan: TablePlan, column: Column) -> SchemaConflict:
    return SchemaConflict(
        "A new column of the source has the name under which history keeps the exact texts of another column.",
        hint=_WAY_OUT,
        topic=plan.topic,
        table=plan.history,
        column=column.name,
    )
