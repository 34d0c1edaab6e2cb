"""What can go wrong, as one tree in which the class says what happens next.

Decides nothing else: only the supervisor reads the action, and only it waits.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Action(StrEnum):
    """What the loop does when an error reaches it."""

    RETRY = "retry"
    """The same step again, after a growing pause."""
    QUARANTINE = "quarantine"
    """The record is set aside with its reason and raw bytes; the step goes on."""
    PAUSE = "pause"
    """One table stops, the others go on, an operator acts."""
    STOP = "stop"
    """The loop ends with a non-zero exit code and nothing half done."""


class StenographError(Exception):
    """A sentence, the facts and the next step.

    `summary` is one sentence for people. `hint` is what they do next. `facts` are names and places
    (tables, offsets, LSNs, paths): never a secret and never a row's values, because facts are printed.
    """

    action: ClassVar[Action] = Action.STOP

    def __init__(self, summary: str, *, hint: str, **facts: object) -> None:
        super().__init__(summary)
        self.summary = summary
        self.hint = hint
        self.facts: dict[str, object] = facts

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{self.summary} [{facts}]" if facts else self.summary


class ConfigurationError(StenographError):
    """The pipeline file, a model or the command line says something that cannot be meant."""


class SourceUnavailable(StenographError):
    """The source does not answer, or not now."""

    action = Action.RETRY


class SourceRefused(StenographError):
    """The source answers, and says no: credentials, privileges, settings, a slot in use."""


class SourceHistoryLost(StenographError):
    """The source no longer holds changes that the log does not have: history would have a gap."""


class SourceRewound(StenographError):
    """The source is another one, or an older state of itself, than the stored position speaks of."""


class LogUnavailable(StenographError):
    """The change log does not answer, or has no room; nothing was appended."""

    action = Action.RETRY


class LogRefused(StenographError):
    """The change log cannot be used: another product's file, another partition count, offsets that are gone."""


class RegistryUnavailable(StenographError):
    """The schema registry does not answer."""

    action = Action.RETRY


class SchemaIncompatible(StenographError):
    """The registry refuses a schema under the subject's compatibility rule."""


class WarehouseUnavailable(StenographError):
    """The warehouse does not answer, has no room, or is held by another process; nothing was stored."""

    action = Action.RETRY


class WarehouseRefused(StenographError):
    """The warehouse cannot be used: another product's file, no permission, a table of another shape."""


class LedgerMoved(StenographError):
    """Another writer has claimed these partitions since; this writer stored nothing.

    Cited as Invariant 6.
    """


class PipelineBusy(StenographError):
    """Another process runs this loop of this pipeline."""


class SchemaConflict(StenographError):
    """A table's new shape cannot be stored beside the old one under its evolution policy."""

    action = Action.PAUSE


class LaneRegressed(StenographError):
    """A lane went back in order while its commit times went on: its source has been rewound."""

    action = Action.PAUSE


class RecordUnreadable(StenographError):
    """A log record that is not a change event of a known schema."""

    action = Action.QUARANTINE


class ValueOutOfRange(StenographError):
    """A value that the warehouse's column cannot hold."""

    action = Action.QUARANTINE
