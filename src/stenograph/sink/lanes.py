"""Where the lanes of the partitions stand while records are taken.

Changes no mark of the claim: what has moved is kept beside it, until the warehouse has stored it.
"""

from __future__ import annotations

from collections.abc import Mapping

from stenograph.offsets import LaneMark, Mark, Partition
from stenograph.sink.place import Place, is_duplicate


class Lanes:
    """The lanes of one flush; `moved` are the marks after the records taken, only of lanes that moved."""

    def __init__(self, marks: Mapping[Partition, Mark]) -> None:
        self._marks = marks
        self.moved: dict[tuple[Partition, str], LaneMark] = {}

    def mark(self, partition: Partition, lane: str) -> LaneMark | None:
        """Where the lane stands; None before its first record."""
        return self.moved.get((partition, lane)) or self._marks[partition].lanes.get(lane)

    def passes(self, partition: Partition, place: Place, committed_at: int, offset: int) -> bool:
        """Move the lane over a record and say true; false for a record that it has passed before.

        Raise LaneRegressed if the source went back.
        """
        mark = self.mark(partition, place.lane)
        if is_duplicate(place, committed_at, mark, partition, offset):
            return False
        self.move(partition, place.lane, LaneMark(place.order, committed_at))
        return True

    def move(self, partition: Partition, lane: str, to: LaneMark) -> None:
        """Move the lane's mark; neither its order nor its time ever falls."""
        mark = self.mark(partition, lane) or to
        self.moved[partition, lane] = LaneMark(
            max(to.order, mark.order), max(to.committed_at, mark.committed_at)
        )
