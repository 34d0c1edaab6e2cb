"""A pipeline with its adapters chosen, none of them opened.

Caches nothing: every call opens what it returns anew, and the caller closes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from stenograph.assembly.adapters import LogAdapter, SourceAdapter, WarehouseAdapter
from stenograph.assembly.kinds import KINDS, LOGS, SOURCES, WAREHOUSES
from stenograph.envelope.gap import gap_topic
from stenograph.errors import ConfigurationError
from stenograph.pipeline import Pipeline, find, load, plans
from stenograph.pipeline.faults import shown, suggestion
from stenograph.pipeline.site import Site
from stenograph.ports import SchemaRegistry
from stenograph.registry.folder import FolderRegistry
from stenograph.schemas import TablePlan


def load_pipeline(argument: str | None, cwd: Path) -> Pipeline:
    """The pipeline that `-p` means, checked; raise ConfigurationError with every fault."""
    return load(find(argument, cwd), KINDS)


@dataclass(frozen=True, slots=True)
class Wiring:
    """One pipeline's adapters, plans and places."""

    pipeline: Pipeline
    site: Site
    plans: Sequence[TablePlan]
    source: SourceAdapter
    log: LogAdapter
    warehouse: WarehouseAdapter

    @classmethod
    def of(cls, pipeline: Pipeline) -> Wiring:
        """Choose the adapters; raise ConfigurationError where the source's or the log's driver is not installed."""
        site = Site(pipeline.name, pipeline.folder)
        return cls(
            pipeline=pipeline,
            site=site,
            plans=plans(pipeline),
            source=cast(SourceAdapter, _made(SOURCES[pipeline.source_kind].load(), pipeline.source, site)),
            log=cast(LogAdapter, _made(LOGS[pipeline.log_kind].load(), pipeline.log, site)),
            # A capture never asks for it, and its driver is memory that capture would carry for nothing.
            warehouse=cast(
                WarehouseAdapter,
                _Later(lambda: _made(WAREHOUSES[pipeline.warehouse_kind].load(), pipeline.warehouse, site)),
            ),
        )

    @property
    def gap_topic(self) -> str:
        """Where the capturer reports gaps: Debezium's topic for messages."""
        return gap_topic(self.pipeline.source_name)

    def registry(self) -> SchemaRegistry:
        """The registry of the log's schemas."""
        folder = self.log.registry_folder
        if folder is None:
            raise ConfigurationError(
                "The log names no schema registry.",
                hint="Name one in the `log` section of the pipeline file.",
                pipeline=self.pipeline.file,
            )
        return FolderRegistry(folder)

    def refuse_lost_registry(self) -> None:
        """Raise ConfigurationError if the log holds records and the folder of their schemas is gone.

        Without it a capture would give old records' schema ids to other schemas.
        """
        folder = self.log.registry_folder
        if folder is None or (folder / "ids").exists():
            return
        with closing(self.log.audit()) as log:
            if any(extent.end for extent in log.extents().values()):
                raise ConfigurationError(
                    "The schema registry's folder is gone, and the log's records cannot be read without it.",
                    hint="Restore the folder from a backup; without one, treat the log as lost: remove it, "
                    "then `steno capture --anew`.",
                    path=folder,
                )

    def plan_of(self, name: str) -> TablePlan:
        """The plan that a person means by a model, a history table or a source table.

        Raise ConfigurationError, listing what there is.
        """
        for plan in self.plans:
            names = {plan.history, plan.history.removesuffix("_history"), str(plan.table)}
            if name in names or (plan.model is not None and name == plan.model.name):
                return plan
        by_table = [plan for plan in self.plans if plan.table.name == name]
        if len(by_table) == 1:
            return by_table[0]
        known = [plan.history.removesuffix("_history") for plan in self.plans]
        tables = [plan.table.name for plan in self.plans]
        raise ConfigurationError(
            f"The pipeline has no table called {shown(name)}{suggestion(name, [*known, *tables]) or '.'}",
            hint=f"Name one of: {', '.join(known)}.",
            pipeline=self.pipeline.name,
        )


class _Later:
    """An adapter that is loaded when it is first asked for something; a driver that is missing is missed then."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make
        self._made: object | None = None

    def __getattr__(self, name: str) -> object:
        if self._made is None:
            self._made = self._make()
        return getattr(self._made, name)


def _made(adapter: object, settings: object, site: Site) -> object:
    return cast(Callable[[object, Site], object], adapter)(settings, site)
