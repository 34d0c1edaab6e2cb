"""docs/invariants.md: each invariant is cited in the code where it holds, and has a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.documents import ROOT, inline_code, sections

PAGE = ROOT / "docs" / "invariants.md"
COUNT = 12
_CITED = re.compile(r"Invariants? (\d+(?:(?:, | and )\d+)*)")
INVARIANTS = {int(name.partition(".")[0]): text for name, text in sections(PAGE, 2).items()}


def cited(text: str) -> set[int]:
    return {int(number) for found in _CITED.findall(text) for number in re.findall(r"\d+", found)}


def paragraph(number: int, first_words: str) -> list[str]:
    """The references in the invariant's paragraph that begins with these words."""
    (found,) = [part for part in INVARIANTS[number].split("\n\n") if part.strip().startswith(first_words)]
    return [code for code in inline_code(found) if "/" in code]


def names_in(file: Path) -> set[str]:
    """Functions and classes of a file; methods as `Class.method`."""
    names: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return names


def is_there(reference: str) -> bool:
    """Whether `path::name` is a name of that file, or `path` a file."""
    path, _, name = reference.partition("::")
    file = ROOT / path
    return file.is_file() and (not name or (file.suffix == ".py" and name in names_in(file)))


def test_the_invariants_are_numbered_from_1_on() -> None:
    assert list(INVARIANTS) == list(range(1, COUNT + 1))


@pytest.mark.parametrize("number", INVARIANTS)
def test_an_invariant_is_cited_in_every_file_that_is_said_to_hold_it(number: int) -> None:
    held_by = paragraph(number, "Held")
    assert held_by
    assert [reference for reference in held_by if not is_there(reference)] == []
    silent = [
        reference
        for reference in held_by
        if number not in cited((ROOT / reference.partition("::")[0]).read_text(encoding="utf-8"))
    ]
    assert silent == []


@pytest.mark.parametrize("number", INVARIANTS)
def test_an_invariant_has_tests_that_exist(number: int) -> None:
    killed_by = paragraph(number, "Killed")
    assert killed_by
    assert all(reference.startswith("tests/") for reference in killed_by)
    assert [reference for reference in killed_by if not is_there(reference)] == []


def test_the_code_cites_no_other_invariant_and_every_place_is_listed() -> None:
    unlisted = []
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "src").rglob("*.sql")]
    for file in sorted([*files, *(ROOT / "warehouse_ddl").rglob("*.sql")]):
        path = str(file.relative_to(ROOT))
        for number in sorted(cited(file.read_text(encoding="utf-8"))):
            if path not in INVARIANTS.get(number, ""):
                unlisted.append(f"{path}: Invariant {number}")
    assert unlisted == []
