"""An examination asks every system, keeps the order, and fails only by a fault."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from stenograph.diagnosis import Diagnosis, State, fault, ok, room_point, size, warning, write_points
from stenograph.diagnosis import room as room_module
from stenograph.doctor import Examination, examine, render
from stenograph.errors import SourceUnavailable
from tests.documents import ROOT

LONG = "ALTER TABLE " + ", ".join(f'"public"."table_{number}"' for number in range(40)) + ";"


@dataclass(frozen=True, slots=True)
class Patient:
    """A system that says these points, and then breaks off if it is told to."""

    points: tuple[Diagnosis, ...]
    breaks: bool = False

    def examine(self) -> Iterator[Diagnosis]:
        yield from self.points
        if self.breaks:
            raise SourceUnavailable("It does not answer.", hint="Start it.", port=5432)


def names(examination: Examination) -> list[tuple[str, str]]:
    return [(each.system, each.diagnosis.name) for each in examination.findings]


def test_systems_and_points_keep_their_order() -> None:
    seen = examine("crm", {"b": Patient((ok("1", "."), warning("2", "."))), "a": Patient((ok("3", "."),))})
    assert names(seen) == [("b", "1"), ("b", "2"), ("a", "3")]


def test_a_warning_is_no_fault() -> None:
    assert examine("crm", {"a": Patient((warning("1", ".", "do"),))}).ok
    assert not examine("crm", {"a": Patient((fault("1", ".", "do"),))}).ok


def test_a_system_that_breaks_off_is_a_fault_and_the_next_is_still_asked() -> None:
    seen = examine("crm", {"a": Patient((ok("1", "."),), breaks=True), "b": Patient((ok("2", "."),))})
    assert names(seen) == [("a", "1"), ("a", "reachable"), ("b", "2")]
    (broken,) = seen.of(State.FAULT)
    assert broken.diagnosis.fix == "Start it."
    assert broken.diagnosis.sentence == "It does not answer. [port=5432]"


def test_the_json_counts_what_it_lists() -> None:
    seen = examine("crm", {"a": Patient((ok("1", "a"), warning("2", "b"), fault("3", "c", "d")))}).as_json()
    assert (seen["ok"], seen["faults"], seen["warnings"]) == (False, 1, 1)
    findings = seen["findings"]
    assert isinstance(findings, list)
    assert findings[2] == {"system": "a", "name": "3", "state": "fault", "sentence": "c", "fix": "d"}


def test_a_fix_is_shown_unbroken_so_that_it_can_be_pasted() -> None:
    console = Console(width=60)
    with console.capture() as captured:
        console.print(render(examine("crm", {"a": Patient((fault("[1]", "[red]", LONG),))})), crop=False)
    assert f"    {LONG}\n" in captured.get()
    assert "[red]" in captured.get()


def test_a_full_disk_is_a_fault_and_a_nearly_full_one_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    file = ROOT / ".steno" / "nowhere" / "log.db"
    assert room_point(file, 0).state in (State.OK, State.WARNING)
    monkeypatch.setattr(room_module, "SCARCE_BYTES", 1 << 62)
    assert room_point(file, 0).state is State.WARNING
    monkeypatch.setattr(room_module, "FULL_BYTES", 1 << 62)
    assert room_point(file, 0).state is State.FAULT


def test_a_file_and_its_folder_that_may_only_be_read_are_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a file.db"
    file.touch()
    assert list(write_points(file)) == []
    # Root may write whatever the mode says, so the answer of the system is given here.
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert [point.fix for point in write_points(file)] == [f"chmod u+w {tmp_path}", f"chmod u+w '{file}'"]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (20 * 10**9, "20.0 GB"), (5 * 10**12, "5.0 TB")],
)
def test_sizes_are_shown_in_the_unit_that_fits(count: int, text: str) -> None:
    assert size(count) == text
