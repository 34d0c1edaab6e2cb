"""docs/operators/commands.md and the commands say the same, and nobody names a command that is not there."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import typer
from typer.testing import CliRunner

from stenograph.cli.app import app
from stenograph.cli.exits import Exit
from stenograph.status.look import LoopStatus, Status, TableStatus
from stenograph.timeline.life import Timeline
from stenograph.verify import Report
from tests.documents import ROOT, Block, blocks, documents, inline_code, prose, rows, sections

PAGE = ROOT / "docs" / "operators" / "commands.md"
# typer brings its own click, whose types are private.
ROOT_COMMAND: Any = typer.main.get_command(app)
GROUPS: dict[str, Any] = {
    name: each for name, each in ROOT_COMMAND.commands.items() if hasattr(each, "commands")
}
COMMANDS: dict[str, Any] = {
    name: each for name, each in ROOT_COMMAND.commands.items() if name not in GROUPS
} | {f"{group} {name}": each for group, of in GROUPS.items() for name, each in of.commands.items()}
HELP = {"--help", "-h"}
COMMON = "Common to all"
_SHELL = frozenset({"", "sh", "bash", "console", "shell"})
_STENO = re.compile(r"(?:\S*/)?steno(?= |$)")


def options_of(command: Any) -> set[str]:
    """What a person may write: every spelling of every visible option, help left out."""
    spellings = {
        spelling
        for each in command.params
        if each.param_type_name == "option" and not each.hidden
        for spelling in (*each.opts, *each.secondary_opts)
    }
    return spellings - HELP


def documented_options(section: str) -> dict[str, str]:
    """Option to the text beside it, of the section's table of options."""
    return {
        spelling: row[-1]
        for row in rows(section)
        for spelling in inline_code(row[0])
        if spelling.startswith("-") and len(row) == 2
    }


def json_fields(command: str) -> dict[str, str]:
    """The fields of a command's JSON, each with what the page says of it."""
    found = rows(sections(PAGE, 2)[command])
    start = next(index for index, row in enumerate(found) if row[0] == "JSON field")
    return {inline_code(row[0])[0]: row[1] for row in found[start + 1 :]}


def shell_lines() -> Iterator[tuple[Block, list[str]]]:
    """The words of every shell line that runs steno."""
    for file in documents():
        for block in blocks(file):
            if block.language not in _SHELL:
                continue
            for line in block.text.splitlines():
                typed = line.strip().removeprefix("$ ")
                if _STENO.match(typed):
                    yield block, shlex.split(typed, comments=True)


def fault_in(words: list[str]) -> str | None:
    """What is wrong with `steno WORDS`, where they may leave out arguments; None if nothing is."""
    if not words or words[0].startswith("-"):
        known = options_of(ROOT_COMMAND) | HELP
        return next((word for word in words if word.startswith("-") and word not in known), None)
    if words[0].isupper() or words in ([group] for group in GROUPS):
        return None
    name, rest = split(words)
    command = COMMANDS.get(name)
    if command is None:
        return f"no command {name}"
    known = options_of(command) | HELP
    return next((word for word in rest if word.startswith("-") and word not in known), None)


def split(words: list[str]) -> tuple[str, list[str]]:
    """The command, which has two words in a group, and what follows it."""
    length = 2 if words[0] in GROUPS else 1
    return " ".join(words[:length]), words[length:]


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert set(sections(PAGE, 2)) - {COMMON} == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_s_options_are_those_of_its_section(name: str) -> None:
    assert set(documented_options(sections(PAGE, 2)[name])) == options_of(COMMANDS[name])


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_defaults_stand_beside_their_options(name: str) -> None:
    documented = documented_options(sections(PAGE, 2)[name])
    unsaid = [
        f"{option.opts[0]} {option.default}"
        for option in COMMANDS[name].params
        if option.param_type_name == "option"
        and option.default not in (None, False, ())
        and str(option.default) not in documented[option.opts[0]]
    ]
    assert unsaid == []


def test_the_options_of_steno_itself_are_explained() -> None:
    said = {word for code in inline_code(sections(PAGE, 2)[COMMON]) for word in code.split()}
    assert options_of(ROOT_COMMAND) | HELP <= said


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_section_has_an_example_and_its_exit_codes(name: str) -> None:
    section = sections(PAGE, 2)[name]
    assert f"```\nsteno {name}" in section
    (codes,) = re.findall(r"^Exit codes: (.+?)\n\n", section + "\n\n", re.MULTILINE | re.DOTALL)
    assert {int(code) for code in re.findall(r"\b\d+\b", codes)} <= set(Exit)


def test_the_exit_codes_are_those_of_the_program() -> None:
    said = {int(row[0]) for row in rows(sections(PAGE, 3)["Exit codes"]) if row[0].isdigit()}
    assert said == set(Exit)


def test_status_json_has_the_fields_that_are_documented() -> None:
    said = json_fields("status")
    assert list(said) == [field.name for field in dataclasses.fields(Status)]
    for name, of in (("tables", TableStatus), ("loops", LoopStatus)):
        fields = [field.name for field in dataclasses.fields(of)]
        assert [field for field in fields if f"`{field}`" not in said[name]] in ([], ["loop"])


def test_verify_json_has_the_fields_that_are_documented() -> None:
    report = Report()
    report.differs("books", "lead_history", "crm.public.lead/0", "a span is missing")
    certificate = report.as_json()
    said = json_fields("verify")
    assert list(said) == list(certificate)
    (difference,) = cast(list[dict[str, str]], certificate["differences"])
    assert all(f"`{name}`" in said["differences"] for name in difference)


def test_history_json_has_the_fields_that_are_documented() -> None:
    life = Timeline("lead_history", {"id": "42"}, (), exists=False)
    assert list(json_fields("history")) == list(life.as_json())


def test_check_json_has_the_fields_that_are_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pipelines").mkdir()
    demo = (ROOT / "pipelines" / "demo.yaml").read_text(encoding="utf-8")
    (tmp_path / "pipelines" / "good.yaml").write_text(demo, encoding="utf-8")
    (tmp_path / "pipelines" / "bad.yaml").write_text("source: {}\ntables: {}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(app, ["check", "--json"])
    assert answer.exit_code == Exit.CONFIGURATION
    found = json.loads(answer.stdout)
    said = json_fields("check")
    assert list(said) == list(found)
    assert all(f"`{name}`" in said["pipelines"] for name in found["pipelines"][0])
    assert all(f"`{name}`" in said["faults"] for name in found["faults"][0])


def test_every_shell_line_can_be_typed() -> None:
    wrong = []
    lines = list(shell_lines())
    for block, words in lines:
        try:
            assert fault_in(words[1:]) is None
            if words[1:] and (name := split(words[1:])[0]) in COMMANDS:
                COMMANDS[name].make_context(name, split(words[1:])[1])
        except Exception as fault:  # noqa: BLE001 - typer's own click has private errors.
            wrong.append(f"{block}: {' '.join(words)}: {fault}")
    assert wrong == []
    assert lines


def test_prose_names_only_commands_and_options_that_exist() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}: {code}: {fault}"
        for file in documents()
        for code in inline_code(prose(file))
        if _STENO.match(code) and (fault := fault_in(_STENO.sub("", code).split()))
    ]
    assert wrong == []


def test_hints_and_docstrings_name_only_commands_that_exist() -> None:
    wrong = []
    for file in sorted((ROOT / "src").rglob("*.py")):
        for words in re.findall(r"`steno( [^`{}]*)`", file.read_text(encoding="utf-8")):
            if fault := fault_in(words.split()):
                wrong.append(f"{file.relative_to(ROOT)}: steno{words}: {fault}")
    assert wrong == []
