"""What an adapter says of the system behind it, one sentence a point, each trouble with what mends it.

Looks at nothing by itself: adapters examine, `doctor` collects.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from stenograph.errors import StenographError


class State(StrEnum):
    """How much a diagnosis matters."""

    OK = "ok"
    WARNING = "warning"
    """The pipeline works, and something may go wrong or be missed."""
    FAULT = "fault"
    """A loop will not start, will stop, or the application will fail."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One point examined.

    `fix` is a statement or command to paste, or a short instruction where there is none; None where nothing needs to
    be done. Names and places may stand in both, secrets and values of rows never.
    """

    name: str
    state: State
    sentence: str
    fix: str | None = None

    @classmethod
    def of_error(cls, name: str, error: StenographError) -> Diagnosis:
        """A fault in the error's own words."""
        return cls(name, State.FAULT, str(error), error.hint)


class Examined(Protocol):
    """A system that can be looked at."""

    def examine(self) -> Iterable[Diagnosis]:
        """Each point as soon as it is known, in the order in which troubles should be mended.

        Changes and makes nothing in the system. Raise StenographError where the system cannot be looked at any further.
        """
        ...


def ok(name: str, sentence: str) -> Diagnosis:
    """A point that is as it should be."""
    return Diagnosis(name, State.OK, sentence)


def warning(name: str, sentence: str, fix: str | None = None) -> Diagnosis:
    """A point that may hurt later."""
    return Diagnosis(name, State.WARNING, sentence, fix)


def fault(name: str, sentence: str, fix: str) -> Diagnosis:
    """A point that stops something, with what mends it."""
    return Diagnosis(name, State.FAULT, sentence, fix)
