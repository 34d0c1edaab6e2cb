"""Decides what becomes of a test whose component is missing: skipped with a printed reason, or failed.

Starts and looks for nothing: the fixture that needs a component says why it is not there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

import pytest

COMPONENTS: Final[Mapping[str, str]] = {
    "pgbench": "the load generator that ships with Postgres",
    "postgres": "a Postgres server that a test can start",
    "postgres15": "a server of Postgres 15, as Debian 12 has it",
    "postgres17": "a server of Postgres 17",
    "python313": "a working Python 3.13 (asked for by `make test`)",
    "tmpfs": "a small file system of its own, to fill",
}

_PREFIX: Final = "component "


def required_components() -> frozenset[str]:
    """Return the components that `STENO_REQUIRE` names, where a skip is a failure.

    Raise `pytest.UsageError` for a name that no test could ever ask for: it would require nothing.
    """
    named = {name.strip() for name in os.environ.get("STENO_REQUIRE", "").split(",")} - {""}
    if unknown := named - COMPONENTS.keys():
        raise pytest.UsageError(
            f"STENO_REQUIRE names unknown components: {', '.join(sorted(unknown))}. "
            f"Known are {', '.join(sorted(COMPONENTS))} (tests/components.py)."
        )
    return frozenset(named)


def require_component(name: str, reason: str | None) -> None:
    """Go on where `reason` is None; otherwise skip the test, or fail it if the component is required.

    `reason` is half a sentence that says why the component cannot be used here.
    Raise `LookupError` for a component that `COMPONENTS` does not list.
    """
    if name not in COMPONENTS:
        raise LookupError(f"{name} is not listed in tests/components.py.")
    if reason is None:
        return
    if name in required_components():
        pytest.fail(f"STENO_REQUIRE names {name}, but {reason}", pytrace=False)
    raise pytest.skip.Exception(f"{_PREFIX}{name}: {reason}", allow_module_level=True)


def skipped_component(skip_message: str) -> tuple[str, str] | None:
    """Return name and reason where a skip's message came from `require_component`, else None."""
    _, found, text = skip_message.partition(_PREFIX)
    if not found:
        return None
    name, _, reason = text.partition(": ")
    return name, reason
