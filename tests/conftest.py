"""Settings of every test run: markers by folder, and the list of components that were missing.

Holds no fixtures: those stand in `fix_*.py` beside this file, or in the folder that uses them. The Postgres servers
are registered here, so that every folder of a session shares them.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.components import required_components, skipped_component

pytest_plugins = ["tests.fix_disk", "tests.fix_postgres"]

_TESTS = Path(__file__).resolve().parent
_MARKED_FOLDERS = frozenset({"acceptance", "contract", "crash", "integration", "property"})

# A deadline would be an assertion about speed.
hypothesis.settings.register_profile("steno", deadline=None)
hypothesis.settings.load_profile("steno")


def pytest_configure() -> None:
    """Refuse a misspelt requirement before any test runs."""
    required_components()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell's background job ignores Ctrl-C, and children would inherit it: the tests send them one.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Give each test the marker of its folder, so that `-m crash` and `tests/crash` agree; begin with the slow ones."""
    for item in items:
        folder = item.path.relative_to(_TESTS).parts[0] if item.path.is_relative_to(_TESTS) else ""
        if folder in _MARKED_FOLDERS:
            item.add_marker(folder)
    yield
    # A slow test that comes last keeps one process busy while the others are done.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print every component that was missing, why, and how many tests went without it."""
    missing: Counter[tuple[str, str]] = Counter()
    for report in terminalreporter.getreports("skipped"):
        if isinstance(report.longrepr, tuple) and (found := skipped_component(report.longrepr[2])):
            missing[found] += 1
    if missing:
        terminalreporter.section("components that were not tested")
        for (name, reason), count in sorted(missing.items()):
            terminalreporter.line(f"{name}: {reason} ({count} skipped)")
