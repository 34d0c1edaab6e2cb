"""The exit codes, and how an error is shown.

A sentence, the facts, the next step: never a traceback for what an operator can mend.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import IntEnum

from rich.console import Console
from rich.text import Text

from stenograph.errors import ConfigurationError, StenographError
from stenograph.pipeline import ConfigurationFaults


class Exit(IntEnum):
    """What the process's exit code says."""

    DONE = 0
    STOPPED = 1
    """An error stopped the command, or `verify` found a difference."""
    CONFIGURATION = 2
    """The command line, a pipeline file, a model or a secret's reference is wrong; nothing was started."""
    BEHIND = 3
    """`verify`: nothing differs, but the pipeline is behind or something could not be checked."""
    PENDING = 4
    """`plan`: there is something for `steno apply` to do."""
    BUG = 70
    """An error that Stenograph does not know: please report it with the traceback."""
    INTERRUPTED = 130
    """Ctrl-C ended a command that asks; a loop drains instead, and ends with 0."""


def exit_of(error: StenographError) -> Exit:
    """The exit code of an error that ends a command."""
    return Exit.CONFIGURATION if isinstance(error, ConfigurationError) else Exit.STOPPED


def show(error: StenographError) -> None:
    """The error for people, on standard error."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    if isinstance(error, ConfigurationFaults):
        console.print(Text(str(error)))
        return
    console.print(Text.assemble(("error: ", "bold red"), error.summary))
    for name, value in error.facts.items():
        console.print(Text(f"  {name}: {value}", style="dim"))
    console.print(Text(f"  next: {error.hint}"))


def show_json(error: StenographError) -> None:
    """The error for programs, on standard output; faults of files stand one by one in `faults`."""
    described: dict[str, object] = {
        "class": type(error).__name__,
        "summary": error.summary,
        "hint": error.hint,
        "facts": {name: str(value) for name, value in error.facts.items()},
    }
    if isinstance(error, ConfigurationFaults):
        described["faults"] = [fault.as_json() for fault in error.faults]
    _print(described)


def show_usage_json(message: str) -> None:
    """A command line that cannot be meant, for programs."""
    _print(
        {
            "class": ConfigurationError.__name__,
            "summary": message,
            "hint": "Look at `steno --help`.",
            "facts": {},
        }
    )


def show_bug_json(error: Exception) -> None:
    """An error that Stenograph does not know, for programs: its text may hold anything, so only its class is told."""
    _print(
        {
            "class": type(error).__name__,
            "summary": "An error that Stenograph does not know.",
            "hint": "Report it with the traceback that stands on standard error.",
            "facts": {},
        }
    )


def _print(described: Mapping[str, object]) -> None:
    json.dump({"ok": False, "error": described}, sys.stdout)
    sys.stdout.write("\n")
