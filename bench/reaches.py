"""What is to be reached, as data: one row a figure, with the limit it is held to and why a row is not measured here.

Measures nothing and knows no result.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Better(StrEnum):
    """On which side of its limit a figure is good."""

    ABOVE = "at least"
    BELOW = "at most"


@dataclass(frozen=True, slots=True)
class Reach:
    """One figure to reach: `name` is what ONLY, known.md and latest.json call it, `stage` is who measures it."""

    name: str
    path: str
    stage: str
    limit: float
    better: Better
    unit: str

    def holds(self, figure: float) -> bool:
        """Whether the figure is good enough."""
        return figure >= self.limit if self.better is Better.ABOVE else figure <= self.limit

    @property
    def wanted(self) -> str:
        """The limit as people read it."""
        return f"{self.better} {shown(self.limit, self.unit)}"


def shown(figure: float, unit: str) -> str:
    """A figure with its unit: thousands for large ones, and no more digits than it is worth."""
    if figure >= 1000:
        text = f"{figure:,.0f}"
    elif figure >= 10:
        text = f"{figure:.0f}"
    else:
        text = f"{figure:.2f}"
    return f"{text} {unit}".strip()


def _at_least(name: str, path: str, stage: str, limit: float, unit: str = "") -> Reach:
    return Reach(name, path, stage, limit, Better.ABOVE, unit)


def _at_most(name: str, path: str, stage: str, limit: float, unit: str = "") -> Reach:
    return Reach(name, path, stage, limit, Better.BELOW, unit)


REACHES = (
    _at_least("stream-avro", "Postgres stream → Avro bytes, of receive-only", "stream", 0.85),
    _at_least("stream-log", "Postgres stream → embedded log, of receive-only", "stream", 0.6),
    _at_least("snapshot-log", "Postgres snapshot → embedded log", "stream", 150_000, "rows/s"),
    _at_least("log-duckdb", "embedded log → DuckDB history, exactly once", "sink", 200_000, "rows/s"),
    _at_least("whole-path", "Postgres → DuckDB history, both processes", "whole", 70_000, "changes/s"),
    _at_most("latency-p50", "commit → queryable at 1,000 changes/s, p50", "latency", 300, "ms"),
    _at_most("latency-p99", "commit → queryable at 1,000 changes/s, p99", "latency", 1_000, "ms"),
    _at_most("capture-memory", "capture's peak memory, the largest transaction", "memory", 150, "MB"),
    _at_most("sink-memory", "sink's peak memory, the largest transaction", "memory", 500, "MB"),
    _at_most("idle-capture", "capture with nothing to do, of a core", "idle", 0.01),
    _at_most("idle-sink", "sink with nothing to do, of a core", "idle", 0.01),
    _at_most("idle-writes", "written with nothing to do", "idle", 0, "bytes/s"),
    _at_most("growth-changes", "CPU a change, 10^6 of 10^4 changes", "growth", 1.2),
    _at_most("growth-history", "an append after 10^7 rows, of one after 10^6", "deep", 1.2),
    _at_most("growth-tables", "CPU a change, in 500 tables' pipeline of one table's", "tables", 1.2),
    _at_most("view-current", "current state of 10 M history rows", "deep", 2_000, "ms"),
    _at_most("view-as-of", "state as of an instant, 10 M history rows", "deep", 2_000, "ms"),
    _at_most("view-by-month", "state by month, 10 M history rows", "deep", 2_000, "ms"),
)

UNMEASURED = {
    "Postgres stream → Kafka, transactional": "There is no Kafka log yet.",
    "log Avro → staged Parquet": "There is no BigQuery or Snowflake warehouse yet.",
}
"""What design asks for and nothing can measure yet, with the reason."""
