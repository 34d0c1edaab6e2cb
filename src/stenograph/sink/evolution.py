"""What a history table must become so that rows of a new shape can be stored beside the old.

Only adds columns: what would rewrite or lock a table is never done unasked.
"""

from __future__ import annotations

from stenograph.errors import SchemaConflict
from stenograph.schemas import Column, TablePlan, TableShape


def evolved(
    plan: TablePlan, known: TableShape | None, need: TableShape
) -> tuple[TableShape, tuple[Column, ...]]:
    """The target shape and the columns to add. A column that the source dropped stays.

    The key follows the newest schema that has one. Raise SchemaConflict where a column exists with another type.
    """
    if known is None:
        return need, need.columns
    adds = []
    for column in need.columns:
        there = known.column(column.name)
        if there is None:
            adds.append(column)
        elif there.type != column.type:
            raise SchemaConflict(
                "A column's type changed at the source, and the history table holds the old type.",
                hint="Add a model that names the column's wider type, or rename the column at the source; "
                "the table waits until then, nothing is lost.",
                topic=plan.topic,
                table=plan.history,
                column=column.name,
                stored=there.type,
                sent=column.type,
            )
    return TableShape((*known.columns, *adds), need.key or known.key), tuple(adds)
