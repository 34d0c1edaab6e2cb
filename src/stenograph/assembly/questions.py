"""What operators and analysts ask of a pipeline, wired to its adapters. None of it writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from stenograph.assembly.wiring import Wiring
from stenograph.pipeline import Pipeline
from stenograph.ports import QueryConsole
from stenograph.sink import Readers
from stenograph.status import Status, look
from stenograph.timeline import Timeline, timeline
from stenograph.verify import Report, Sources, prove

PATIENCE = timedelta(seconds=30)
"""How long a proof waits for the pipeline to catch up before it says that it is behind."""


def verify(pipeline: Pipeline, patience: timedelta, progress: Callable[[str], None]) -> Report:
    """Prove that history is what the log and the source say; see `stenograph.verify`."""
    wiring = Wiring.of(pipeline)
    wiring.refuse_lost_registry()
    registry = wiring.registry()
    tables = [plan.table for plan in wiring.plans]
    log = wiring.log.audit()
    try:
        with wiring.source.opened(tables, registry) as source:
            sources = Sources(
                source=pipeline.source_name,
                plans=wiring.plans,
                log=log,
                history=wiring.warehouse.history(),
                console=wiring.warehouse.console(),
                readers=Readers(registry),
                open_audit=lambda: source.audit(log.position(pipeline.source_name)),
            )
            return prove(sources, patience, progress)
    finally:
        log.close()


def status(pipeline: Pipeline) -> Status:
    """How the pipeline fares now; what cannot be read is named in it."""
    wiring = Wiring.of(pipeline)
    return look(pipeline.name, wiring.plans, wiring.log.audit, wiring.warehouse.history(), wiring.site.run)


def console(pipeline: Pipeline) -> QueryConsole:
    """The history, to be asked in the warehouse's SQL."""
    return Wiring.of(pipeline).warehouse.console()


def life_of(pipeline: Pipeline, table: str, key: Sequence[str]) -> Timeline:
    """The life of one record of a table, named as a person would."""
    wiring = Wiring.of(pipeline)
    return timeline(wiring.warehouse.console(), wiring.plan_of(table), key)
