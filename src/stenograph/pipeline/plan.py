"""What each table of a pipeline becomes: its topic, its history table, its model.

Decides no column's type: that is the writer's schema or the model.
"""

from __future__ import annotations

from stenograph.pipeline.model import Pipeline
from stenograph.pipeline.tables import history_name
from stenograph.schemas import TablePlan


def plans(pipeline: Pipeline) -> tuple[TablePlan, ...]:
    """One plan a table, in the order of the file."""
    return tuple(
        TablePlan(
            source=pipeline.source_name,
            table=table,
            topic=table.topic(pipeline.source_name),
            history=history_name(table, settings.model),
            model=None if settings.model is None else pipeline.models[settings.model],
            renames=settings.map,
            track=settings.track,
            keep_before=settings.keep_before,
        )
        for table, settings in pipeline.tables.items()
    )
