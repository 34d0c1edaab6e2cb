"""What a pipeline would change in its warehouse, and the change itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from stenograph.assembly.wiring import Wiring
from stenograph.pipeline import Pipeline
from stenograph.planning import Forecast, forecasts


def plan_of(pipeline: Pipeline, names: Sequence[str]) -> tuple[Forecast, ...]:
    """The forecasts of the tables named as a person would, or of all; raise ConfigurationError for an unknown name."""
    wiring = Wiring.of(pipeline)
    wiring.refuse_lost_registry()
    plans = [wiring.plan_of(name) for name in names] if names else wiring.plans
    return forecasts(plans, wiring.registry(), wiring.warehouse.plan())


def apply_to(pipeline: Pipeline, tables: Sequence[Forecast]) -> None:
    """Run what the forecasts say, table by table, each wholly or not at all. Safe beside a running sink."""
    with closing(Wiring.of(pipeline).warehouse.warehouse()) as warehouse:
        for each in tables:
            if each.change is not None:
                warehouse.evolve(each.change)
