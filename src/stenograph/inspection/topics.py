"""The topics of the log, and how far history has followed each partition.

Reads no record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from stenograph.offsets import Partition
from stenograph.ports import Extent, LedgerEntry
from stenograph.schemas import TablePlan


@dataclass(frozen=True, slots=True)
class PartitionView:
    """Offsets held from `first` up to but not including `end`.

    `ledger` is the offset from which history reads on; None where history has never claimed this partition of this
    log, or cannot be asked.
    """

    partition: int
    first: int
    end: int
    ledger: int | None


@dataclass(frozen=True, slots=True)
class TopicView:
    """A topic. `table` and `history` are None where no table of the pipeline has it, as for gaps."""

    topic: str
    table: str | None
    history: str | None
    generation: str
    partitions: tuple[PartitionView, ...]

    def as_json(self) -> dict[str, object]:
        """The topic as JSON takes it."""
        return asdict(self)


def topics(
    extents: Mapping[Partition, Extent], ledger: Mapping[Partition, LedgerEntry], plans: Sequence[TablePlan]
) -> tuple[TopicView, ...]:
    """Every topic of the log, by name."""
    by_topic = {plan.topic: plan for plan in plans}
    views: dict[str, list[PartitionView]] = {}
    generations: dict[str, str] = {}
    for partition, extent in sorted(extents.items()):
        entry = ledger.get(partition)
        at = entry.next_offset if entry is not None and entry.generation == extent.generation else None
        views.setdefault(partition.topic, []).append(
            PartitionView(partition.number, extent.first, extent.end, at)
        )
        generations[partition.topic] = extent.generation
    return tuple(
        TopicView(
            topic=topic,
            table=str(plan.table) if (plan := by_topic.get(topic)) is not None else None,
            history=plan.history if plan is not None else None,
            generation=generations[topic],
            partitions=tuple(partitions),
        )
        for topic, partitions in views.items()
    )
