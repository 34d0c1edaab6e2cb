"""What was measured: runs of each figure, with whatever was measured beside it in the same run.

Judges nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One reach's figure: the median of its runs. `beside` are medians from the same runs, each with its unit.

    `note` says what a reader needs to judge it.
    """

    name: str
    runs: tuple[float, ...]
    beside: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    @property
    def spread(self) -> float:
        """Largest minus smallest run, as a part of the median."""
        return (max(self.runs) - min(self.runs)) / self.median if self.median else 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A stage that could not measure: its reaches are missed, with this reason."""

    stage: str
    reason: str


Say = Callable[[str], None]
"""Where progress goes."""


def median(values: Sequence[float]) -> float:
    """The median; a short name, because every stage needs it."""
    return statistics.median(values)
