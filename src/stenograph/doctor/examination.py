"""Examines one system after the other and keeps what each says.

Mends nothing. A system that cannot be looked at is a finding; the next one is looked at all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stenograph.diagnosis import Diagnosis, Examined, State
from stenograph.errors import StenographError


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnosis, with the system that it is about."""

    system: str
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Examination:
    """All findings, in the order in which troubles should be mended: what comes later may hang on what is earlier."""

    pipeline: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is at fault; warnings do not count."""
        return not self.of(State.FAULT)

    def of(self, state: State) -> tuple[Finding, ...]:
        """The findings of one state, in their order."""
        return tuple(each for each in self.findings if each.diagnosis.state is state)

    def as_json(self) -> dict[str, object]:
        """The examination as JSON takes it."""
        return {
            "ok": self.ok,
            "pipeline": self.pipeline,
            "faults": len(self.of(State.FAULT)),
            "warnings": len(self.of(State.WARNING)),
            "findings": [
                {
                    "system": each.system,
                    "name": each.diagnosis.name,
                    "state": each.diagnosis.state.value,
                    "sentence": each.diagnosis.sentence,
                    "fix": each.diagnosis.fix,
                }
                for each in self.findings
            ],
        }


def examine(pipeline: str, systems: Mapping[str, Examined]) -> Examination:
    """Look at every system, in the order given."""
    return Examination(
        pipeline, tuple(finding for name, system in systems.items() for finding in _of(name, system))
    )


def _of(name: str, system: Examined) -> Iterable[Finding]:
    try:
        for diagnosis in system.examine():
            yield Finding(name, diagnosis)
    except StenographError as error:
        yield Finding(name, Diagnosis.of_error("reachable", error))
