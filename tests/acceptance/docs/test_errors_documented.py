"""docs/operators/errors.md names every class with its action, and quotes messages as the code has them."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache

import pytest

from stenograph import errors
from stenograph.errors import Action, StenographError
from tests.documents import ROOT, inline_code, rows, sections

PAGE = ROOT / "docs" / "operators" / "errors.md"
CLASSES = {
    name: known
    for name, known in inspect.getmembers(errors, inspect.isclass)
    if issubclass(known, StenographError) and known is not StenographError
}


_SHORTEST = 15
"""Letters that a text must have of its own to be told from others."""


@cache
def sentences() -> dict[str, re.Pattern[str]]:
    """Every text in the code, with the pattern of what it may say; an ellipsis stands where a value is put in."""
    found = []
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return {text: pattern_of(text) for text in found if len(text) >= _SHORTEST}


def pattern_of(text: str) -> re.Pattern[str]:
    return re.compile(".+".join(map(re.escape, text.split("…"))))


def is_said(message: str) -> bool:
    """Whether the code has this message, or a longer one around it; an ellipsis stands for anything."""
    wanted = pattern_of(message)
    return any(wanted.search(text) or pattern.fullmatch(message) for text, pattern in sentences().items())


def quoted() -> list[str]:
    """The messages of the tables by symptom."""
    by_symptom = sections(PAGE, 2)["By symptom"]
    return [message for row in rows(by_symptom) if row[0] != "Symptom" for message in inline_code(row[1])]


def test_every_class_stands_in_the_table_with_its_action() -> None:
    table = [row for row in rows(sections(PAGE, 2)["The classes"]) if row[0] != "Class"]
    said = {inline_code(name)[0]: action for name, action, _, _ in table}
    assert said == {name: known.action.name for name, known in CLASSES.items()}


def test_every_action_is_explained() -> None:
    introduction = PAGE.read_text(encoding="utf-8").partition("\n## ")[0]
    assert {row[0] for row in rows(introduction)} - {"Action"} == {action.name for action in Action}


def test_every_row_has_a_next_step() -> None:
    assert [row for row in rows(PAGE.read_text(encoding="utf-8")) if not all(row)] == []


@pytest.mark.parametrize("message", quoted())
def test_a_quoted_message_is_one_that_the_code_has(message: str) -> None:
    assert is_said(message)


def test_a_message_that_nobody_says_is_told_from_the_others() -> None:
    assert not is_said("The server has forgotten where it put the slot.")
