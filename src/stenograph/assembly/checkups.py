"""The examination of a pipeline's systems, wired to its adapters. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stenograph.assembly.wiring import Wiring
from stenograph.diagnosis import Diagnosis, ok
from stenograph.doctor import Examination, examine
from stenograph.offsets import Position
from stenograph.pipeline import Pipeline
from stenograph.ports import SchemaRegistry
from stenograph.schemas import TablePlan


def doctor(pipeline: Pipeline) -> Examination:
    """Look at the source, the log, its registry and the warehouse, in this order; see `stenograph.doctor`."""
    wiring = Wiring.of(pipeline)

    def stored() -> Position | None:
        log = wiring.log.audit()
        try:
            return log.position(pipeline.source_name)
        finally:
            log.close()

    return examine(
        pipeline.name,
        {
            pipeline.source_kind: wiring.source.checkup([plan.table for plan in wiring.plans], stored),
            "log": wiring.log.checkup(),
            "registry": _RegistryCheckup(wiring.registry(), wiring.plans),
            pipeline.warehouse_kind: wiring.warehouse.checkup(),
        },
    )


@dataclass(frozen=True, slots=True)
class _RegistryCheckup:
    """The tables' subjects: whether each one's newest schema can be read."""

    registry: SchemaRegistry
    plans: Sequence[TablePlan]

    def examine(self) -> Iterator[Diagnosis]:
        newest = [self.registry.latest(f"{plan.topic}-value") for plan in self.plans]
        known = sum(found is not None for found in newest)
        if known == len(newest):
            yield ok("subjects", "Every table has a readable schema.")
        else:
            yield ok(
                "subjects", f"{known} of {len(newest)} tables have a schema; capture registers the others."
            )
