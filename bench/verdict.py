"""Compares figures with reaches and with bench/known.md, and says with which exit code the benchmark ends.

A reach that was missed and not named there is a failure; so is a row there that names nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.figures import Failure, Figure
from bench.reaches import Reach

_HEAD = ("reach", "cause", "next step")


class KnownIsWrong(Exception):
    """bench/known.md names a reach that does not exist, or gives no cause or next step."""


@dataclass(frozen=True, slots=True)
class Known:
    """Why a reach is missed, and what would mend it."""

    cause: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`missed` are reaches with a figure that is not good enough or without one; `unnamed` those not in known.md.

    `outgrown` are rows of known.md whose reach holds now.
    """

    missed: tuple[str, ...]
    unnamed: tuple[str, ...]
    outgrown: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return 1 if self.unnamed else 0


def known(text: str, reaches: Sequence[Reach]) -> Mapping[str, Known]:
    """The rows of known.md by reach; raise KnownIsWrong."""
    names = {reach.name for reach in reaches}
    found: dict[str, Known] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or tuple(cells) == _HEAD or set(line) <= set("|-: "):
            continue
        if len(cells) != len(_HEAD) or not all(cells):
            raise KnownIsWrong(f"A row must have a reach, its cause and a next step: {line}")
        name = cells[0].strip("`")
        if name not in names:
            raise KnownIsWrong(f"There is no reach called {name}.")
        if name in found:
            raise KnownIsWrong(f"{name} stands there twice.")
        found[name] = Known(cells[1], cells[2])
    return found


def judged(
    reaches: Sequence[Reach],
    figures: Mapping[str, Figure],
    failures: Sequence[Failure],
    of: Mapping[str, Known],
) -> Verdict:
    """The verdict on those of the reaches that were to be measured; what a failed stage left out is unnamed."""
    broken = {failure.stage for failure in failures}
    missed, unnamed, outgrown = [], [], []
    for reach in reaches:
        figure = figures.get(reach.name)
        if figure is not None and reach.holds(figure.median):
            if reach.name in of:
                outgrown.append(reach.name)
            continue
        missed.append(reach.name)
        if reach.name not in of or reach.stage in broken:
            unnamed.append(reach.name)
    return Verdict(tuple(missed), tuple(unnamed), tuple(outgrown))
