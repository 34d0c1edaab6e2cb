"""What a verification found: a verdict, the differences by name, and what could not be checked.

Names places and keys, never the values of other columns.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum


class Verdict(IntEnum):
    """The outcome; the number is the command's exit code."""

    PROVED = 0
    DIFFERS = 1
    BEHIND = 3
    """Nothing differs, but the pipeline has not caught up or something could not be checked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference or one thing left unchecked: which check, of which table, where, and what."""

    check: str
    table: str
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.table} {self.place}: {self.message}"


_MOST = 200


@dataclass(slots=True)
class Report:
    """Grows while the checks run. Only the first 200 findings of a kind are kept; all are counted."""

    counts: Counter[str] = field(default_factory=Counter)
    differences: list[Finding] = field(default_factory=list)
    unchecked: list[Finding] = field(default_factory=list)

    def differs(self, check: str, table: str, place: str, message: str) -> None:
        """Note a difference."""
        self.counts["differences"] += 1
        if len(self.differences) < _MOST:
            self.differences.append(Finding(check, table, place, message))

    def leaves(self, check: str, table: str, place: str, message: str) -> None:
        """Note something that could not be checked."""
        self.counts["unchecked"] += 1
        if len(self.unchecked) < _MOST:
            self.unchecked.append(Finding(check, table, place, message))

    @property
    def verdict(self) -> Verdict:
        """A difference outweighs what is unchecked: it will not go away by waiting."""
        if self.differences:
            return Verdict.DIFFERS
        return Verdict.BEHIND if self.unchecked else Verdict.PROVED

    def as_json(self) -> dict[str, object]:
        """The machine-readable certificate."""
        return {
            "ok": self.verdict is Verdict.PROVED,
            "verdict": self.verdict.name.lower(),
            "counts": dict(sorted(self.counts.items())),
            "differences": [_plain(finding) for finding in self.differences],
            "unchecked": [_plain(finding) for finding in self.unchecked],
        }


def _plain(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "table": finding.table,
        "place": finding.place,
        "message": finding.message,
    }
