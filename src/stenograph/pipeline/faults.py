"""Faults of configuration files: each with its place, all of a load in one error.

Corrects nothing and guesses nothing: a fault may only suggest.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stenograph.errors import ConfigurationError
from stenograph.pipeline.secret import holds_password

_LONGEST_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in one file.

    `line` counts from 1 and is None where the fault has no line (a missing file). `path` names the setting, as in
    `source.name`; it is empty for the file as a whole.
    """

    file: Path
    line: int | None
    path: str
    message: str

    def as_json(self) -> dict[str, object]:
        """The fault as JSON takes it."""
        return {"file": str(self.file), "line": self.line, "path": self.path, "message": self.message}

    def __str__(self) -> str:
        place = _short(self.file) if self.line is None else f"{_short(self.file)}:{self.line}"
        return "  ".join(part for part in (place, self.path, self.message) if part)


class ConfigurationFaults(ConfigurationError):
    """All faults of a load at once; as text, a headline and one line a fault."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(dict.fromkeys(faults))
        files = sorted({_short(fault.file) for fault in self.faults})
        count = f"{len(self.faults)} fault{'' if len(self.faults) == 1 else 's'}"
        super().__init__(
            f"{count} in {', '.join(files)}.",
            hint="Correct each line named above, then run `steno check`.",
        )

    def __str__(self) -> str:
        return "\n".join((self.summary, *(str(fault) for fault in self.faults)))


def shown(text: str) -> str:
    """A word of the user's as a message may show it: printable, short, and hidden where it may hold a password."""
    if holds_password(text):
        return "(hidden)"
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= _LONGEST_SHOWN else plain[:_LONGEST_SHOWN] + "..."


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean "name"?` for the closest known word, or nothing."""
    close = difflib.get_close_matches(word[:_LONGEST_SHOWN], list(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def one_of(known: Iterable[str]) -> str:
    """`; known: a, b`, or a word for none."""
    return f"; known: {', '.join(sorted(known)) or 'none'}"


def _short(file: Path) -> str:
    try:
        return str(file.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(file)
