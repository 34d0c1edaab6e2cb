"""Rules about the repository itself: what no file may say, and what its own tools promise."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ("demo", "dev")

# One letter of each word stands in brackets, so that this file does not break its own rules.
FORBIDDEN = re.compile(
    r"pypi[.]org|python[h]osted|repo1?[.]mave[n]|registry[.]npm[j]s|proxy[.]golan[g]|crates[.]io/|deb[.]debia[n]"
    r"|(^|[^A-Za-z0-9_.])/(root|work|farm)/"
)
UNFINISHED = re.compile(r"TOD[O]|FIXM[E]|XX[X]|NotImplemente[d]Error")

BUILT = frozenset({"dist", "build", "__pycache__"})
HIDDEN_BUT_OURS = frozenset({".ci"})


def committed_texts() -> Iterator[tuple[Path, str]]:
    """Yield every text file that is, or would be, committed, without asking git."""
    for folder, names, files in os.walk(ROOT):
        names[:] = [n for n in names if n not in BUILT and (not n.startswith(".") or n in HIDDEN_BUT_OURS)]
        for name in files:
            path = Path(folder, name)
            try:
                yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def lines_that_match(pattern: re.Pattern[str], *under: str) -> list[str]:
    """Return `file:line: text` of each match, in the given top folders or everywhere."""
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in committed_texts()
        if not under or path.parts[0] in under
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    assert lines_that_match(FORBIDDEN) == []


def test_nothing_is_left_unfinished_in_the_code() -> None:
    assert lines_that_match(UNFINISHED, "src", "tests") == []


def test_a_source_file_over_350_lines_says_why_it_is_still_one_thing() -> None:
    unexplained = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "src").rglob("*.py")
        if len((text := path.read_text(encoding="utf-8")).splitlines()) > 350
        and "one thing" not in (ast.get_docstring(ast.parse(text)) or "")
    ]
    assert unexplained == []


def pinned(profile: str) -> Mapping[str, str]:
    """Return name -> version of one requirements file, having checked each entry's form."""
    text = (ROOT / "requirements" / f"{profile}.txt").read_text(encoding="utf-8")
    entries = re.sub(r" *\\\n *", " ", text).splitlines()
    versions: dict[str, str] = {}
    for entry in (line for line in entries if line and not line.lstrip().startswith("#")):
        form = re.fullmatch(r"([a-z0-9.-]+)==(\S+)( ; [^#]+?)?((?: --hash=sha256:[0-9a-f]{64})+)", entry)
        assert form, f"requirements/{profile}.txt: not one pinned, hashed package: {entry[:80]}"
        versions[form[1]] = form[2]
    return versions


def declared(*extras: str) -> list[Requirement]:
    """Return what pyproject.toml asks for, with the given extras."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = [*settings["project"]["dependencies"], *settings["dependency-groups"]["build"]]
    for extra in extras:
        lines += settings["project"]["optional-dependencies"][extra]
    return [requirement for line in lines if (requirement := Requirement(line)).name != "stenograph"]


@pytest.mark.parametrize("profile", REQUIREMENTS)
def test_every_requirement_is_pinned_and_hashed(profile: str) -> None:
    assert pinned(profile)


def test_the_demo_runs_on_the_versions_that_the_tests_run_on() -> None:
    assert pinned("demo").items() <= pinned("dev").items()


@pytest.mark.parametrize(
    ("profile", "extras"), [("demo", ["duckdb", "demo"]), ("dev", ["duckdb", "demo", "dev"])]
)
def test_the_pins_fit_what_the_project_declares(profile: str, extras: list[str]) -> None:
    pins = pinned(profile)
    misfits = [
        str(requirement)
        for requirement in declared(*extras)
        if not requirement.specifier.contains(
            pins.get(canonicalize_name(requirement.name), "0"), prereleases=True
        )
        or canonicalize_name(requirement.name) not in pins
    ]
    assert misfits == [], "run `make lock`"


def test_the_package_itself_pins_nothing_for_those_who_install_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = [*settings["project"]["dependencies"], *settings["project"]["optional-dependencies"]["duckdb"]]
    bounds = {specifier.operator for line in lines for specifier in Requirement(line).specifier}
    assert bounds <= {">="}


def test_make_alone_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    targets = set(re.findall(r"^([a-z0-9_-]+):(?!=)", makefile, flags=re.MULTILINE))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    shown = subprocess.run(
        ["make"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert targets == set(phony.split())
    assert {line.split()[1] for line in shown.splitlines()} == targets


def test_the_contributors_guide_shows_the_layers_that_the_linter_holds() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = [c["layers"] for c in settings["tool"]["importlinter"]["contracts"] if c["id"] == "layers"]
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "```\n" + "\n".join(layers) + "\n```" in guide
