"""The project's Markdown files, taken apart: code blocks, sections, tables, links and inline code.

Judges nothing: what must hold of them stands in tests/acceptance/docs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_FENCE = re.compile(r"^([ \t]*)```(\S*)[^\n]*\n(.*?)^\1```[ \t]*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_INLINE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_LINK = re.compile(r"\]\(([^()\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `line` is that of its first line of text, `language` is empty where none is named."""

    file: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"


def documents() -> list[Path]:
    """Every Markdown file that is ours."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks(file: Path) -> Iterator[Block]:
    """The fenced blocks of a file."""
    text = file.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield Block(file, text.count("\n", 0, found.start()) + 2, found[2], found[3])


def prose(file: Path) -> str:
    """The file without its fenced blocks, each line where it was."""
    return _FENCE.sub(lambda found: "\n" * found[0].count("\n"), file.read_text(encoding="utf-8"))


def inline_code(text: str) -> list[str]:
    """What stands in backticks, on one line each."""
    return [" ".join(found[2].split()) for found in _INLINE.finditer(text)]


def links(file: Path) -> list[str]:
    """The targets of a file's links."""
    return _LINK.findall(prose(file))


def anchors(file: Path) -> set[str]:
    """What a link may name after `#`: each heading in small letters, spaces as hyphens, other marks left out."""
    headings = _HEADING.findall(prose(file))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def sections(file: Path, level: int) -> dict[str, str]:
    """The text under each heading of that level, code blocks included, by the heading's text."""
    mark = "#" * level
    parts = re.split(rf"^{mark} (.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    above = re.compile(rf"^#{{1,{level - 1}}} ", re.MULTILINE) if level > 1 else None
    return {name: above.split(text)[0] if above else text for name, text in found.items()}


def rows(text: str) -> list[list[str]]:
    """The cells of every table row in the text, heads included, rules left out."""
    lines = (line.strip() for line in text.splitlines() if line.startswith("|"))
    cells = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines)
    return [row for row in cells if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
