"""What each table of a pipeline becomes: its topic, its history table, its model.

Decides no column's type: that is the writer's schema or the model.
"""

from __future__ import annotations

from stenograph.pipeline.model import Pipeline
from stenograph.pipeline.tables import history_name
from stenograph.schemas import TablePlan, ValuePolicy


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
            evolution=settings.evolution,
            unheld=settings.unheld if isinstance(settings.unheld, ValuePolicy) else ValuePolicy.TEXT,
            unheld_by_column={} if isinstance(settings.unheld, ValuePolicy) else settings.unheld,
            earlier=() if settings.model is None else pipeline.earlier.get(settings.model, ()),
        )
        for table, settings in pipeline.tables.items()
    )
