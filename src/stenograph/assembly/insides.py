"""What lies inside the log and the registry, and the project's models, wired to the adapters. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from stenograph.assembly.wiring import Wiring
from stenograph.errors import ConfigurationError, WarehouseUnavailable
from stenograph.inspection import RecordView, SubjectView, TopicView, Values, records, subjects, topics
from stenograph.offsets import Partition
from stenograph.pipeline import Pipeline, all_pipelines
from stenograph.ports import Extent
from stenograph.sink import Readers

NEWEST = 20
"""Records of each partition that are shown unless a number is asked for."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which records of a topic are meant: None means every partition, and the newest."""

    partition: int | None
    offset: int | None
    limit: int


def log_topics(pipeline: Pipeline) -> tuple[tuple[TopicView, ...], str | None]:
    """The log's topics, and why history could not be asked how far it is, if so."""
    wiring = Wiring.of(pipeline)
    with closing(wiring.log.audit()) as log:
        extents = log.extents()
    try:
        return topics(extents, wiring.warehouse.history().ledger(), wiring.plans), None
    except WarehouseUnavailable as busy:
        return topics(extents, {}, wiring.plans), str(busy)


def log_records(pipeline: Pipeline, name: str, where: Where, values: Values) -> tuple[str, list[RecordView]]:
    """The topic that the name means, and its records, by partition and offset.

    Raise ConfigurationError for a name, a partition or an offset that cannot be meant, and what log and registry raise.
    """
    wiring = Wiring.of(pipeline)
    with closing(wiring.log.audit()) as log:
        extents = log.extents()
        known = {partition.topic for partition in extents}
        topic = name if name in known or name == wiring.gap_topic else wiring.plan_of(name).topic
        held = {partition: extent for partition, extent in extents.items() if partition.topic == topic}
        readers = Readers(wiring.registry())
        return topic, [
            record
            for partition, start in _chosen(held, topic, where)
            for record in records(log, readers, partition, start, where.limit, values)
        ]


def registry_subjects(pipeline: Pipeline) -> tuple[SubjectView, ...]:
    """The subjects of the pipeline's tables."""
    wiring = Wiring.of(pipeline)
    return subjects(wiring.registry(), [plan.topic for plan in wiring.plans])


def project_of(cwd: Path) -> Path:
    """The project's folder: that of the nearest pipelines, else the one we are in."""
    files = all_pipelines(cwd)
    return files[0].parent.parent if files else cwd


def _chosen(held: dict[Partition, Extent], topic: str, where: Where) -> Iterator[tuple[Partition, int]]:
    numbers = [partition.number for partition in sorted(held)]
    if where.partition is not None and where.partition not in numbers:
        raise ConfigurationError(
            f"The topic has no partition {where.partition} in the log.",
            hint=f"It has {', '.join(map(str, numbers))}." if numbers else "It has no record yet.",
            topic=topic,
        )
    if where.offset is not None and where.partition is None and len(numbers) > 1:
        raise ConfigurationError(
            "An offset is a place in one partition, and the topic has several.",
            hint="Name the partition too: --partition N.",
            topic=topic,
        )
    for partition, extent in sorted(held.items()):
        if where.partition in (None, partition.number):
            newest = max(extent.first, extent.end - where.limit)
            yield partition, newest if where.offset is None else where.offset
