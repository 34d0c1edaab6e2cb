"""What the documents point at is there: links, their anchors, and the paths they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documents import ROOT, anchors, documents, inline_code, links, prose

_FOLDERS = "src|tests|docs|schemas|pipelines|warehouse_ddl|bench|scripts|requirements|[.]ci"
_PATH = re.compile(rf"({_FOLDERS})/[a-z0-9_./-]*")
"""A path from the project's root, without a placeholder such as NAME, <kind> or *."""


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", documents(), ids=name_of)
def test_every_relative_link_leads_somewhere(file: Path) -> None:
    broken = []
    for link in links(file):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("file", documents(), ids=name_of)
def test_every_path_that_is_named_exists(file: Path) -> None:
    named = [code.partition("::")[0] for code in inline_code(prose(file))]
    missing = [path for path in named if _PATH.fullmatch(path) and not (ROOT / path).exists()]
    assert missing == []


def test_the_readme_leads_to_every_document_for_readers() -> None:
    reached = {(ROOT / link.partition("#")[0]).resolve() for link in links(ROOT / "README.md")}
    reached |= {(ROOT / "CHANGELOG.md").resolve()}
    readers = [ROOT / "docs" / "operators", ROOT / "docs" / "analysts"]
    left_out = [
        name_of(file) for folder in readers for file in sorted(folder.rglob("*.md")) if file not in reached
    ]
    assert left_out == []
