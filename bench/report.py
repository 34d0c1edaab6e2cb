"""Writes what was measured: a Markdown page for people and latest.json for tests and documents.

Decides nothing; a figure that was not measured has no row in latest.json.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.figures import Failure, Figure
from bench.reaches import UNMEASURED, Reach, shown
from bench.verdict import Known, Verdict

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
"""Between these two lines of docs/performance.md stands what `with_figures` writes."""
_PACKAGES = ("duckdb", "numpy", "orjson", "psycopg", "pyarrow")


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory / 2**30:.0f} GiB",
    }


def versions(postgres: str) -> dict[str, str]:
    """The versions that matter."""
    found = {"Python": platform.python_version(), "PostgreSQL": postgres, "SQLite": sqlite3.sqlite_version}
    return found | {name: version(name) for name in _PACKAGES}


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        # Another system than Linux.
        return platform.processor()
    return platform.processor()


def as_json(
    reaches: Sequence[Reach],
    figures: Mapping[str, Figure],
    facts: Mapping[str, Mapping[str, str]],
    seconds: float,
    known: Mapping[str, Known],
) -> str:
    """latest.json's text."""
    rows: dict[str, dict[str, object]] = {}
    for reach in reaches:
        figure = figures.get(reach.name)
        if figure is None:
            continue
        rows[reach.name] = {
            "path": reach.path,
            "wanted": reach.wanted,
            "figure": round(figure.median, 4),
            "shown": shown(figure.median, reach.unit),
            "spread": round(figure.spread, 3),
            "runs": [round(run, 4) for run in figure.runs],
            "reached": reach.holds(figure.median),
            "beside": dict(figure.beside),
            "note": figure.note,
        }
        if reach.name in known and not reach.holds(figure.median):
            rows[reach.name]["cause"] = known[reach.name].cause
    document = {
        "measured_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "seconds": round(seconds),
        **{name: dict(of) for name, of in facts.items()},
        "reaches": rows,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_markdown(
    reaches: Sequence[Reach],
    figures: Mapping[str, Figure],
    failures: Sequence[Failure],
    verdict: Verdict,
    known: Mapping[str, Known],
    facts: Mapping[str, Mapping[str, str]],
) -> str:
    """The page for people."""
    lines = [f"# Measured on {datetime.now(UTC):%Y-%m-%d}", ""]
    for of in facts.values():
        lines += [", ".join(f"{name} {text}" for name, text in of.items()) + "."]
    lines += [
        "",
        "| reach | path | wanted | median | spread | beside it in the same runs |",
        "|---|---|---|---|---|---|",
    ]
    for reach in reaches:
        figure = figures.get(reach.name)
        if figure is None:
            lines.append(f"| `{reach.name}` | {reach.path} | {reach.wanted} | not measured | | |")
            continue
        median = shown(figure.median, reach.unit)
        mark = median if reach.holds(figure.median) else f"**{median}**"
        spread = f"{figure.spread:.0%} of {len(figure.runs)}"
        beside = "; ".join(f"{name} {text}" for name, text in figure.beside.items())
        lines.append(f"| `{reach.name}` | {reach.path} | {reach.wanted} | {mark} | {spread} | {beside} |")
    notes = [f"* `{name}`: {figure.note}" for name, figure in figures.items() if figure.note]
    lines += ["", *notes] if notes else []
    if verdict.missed:
        lines += ["", "## Missed", ""]
        for name in verdict.missed:
            said = known.get(name)
            lines.append(
                f"* `{name}`: {f'{said.cause} {said.next_step}' if said else 'bench/known.md does not name it.'}"
            )
    for failure in failures:
        lines += ["", f"The stage {failure.stage} failed: {failure.reason}"]
    lines += ["", "Not measured by anything yet:", ""]
    lines += [f"* {path}: {reason}" for path, reason in UNMEASURED.items()]
    return "\n".join(lines) + "\n"


def with_figures(page: str, document: Mapping[str, Any] | None) -> str:
    """The page with the figures of latest.json, which is None before the first whole run, in their place."""
    before, rest = page.split(f"{BEGIN}\n")
    _, after = rest.split(f"{END}\n")
    return f"{before}{BEGIN}\n{_figures(document)}{END}\n{after}"


def _figures(document: Mapping[str, Any] | None) -> str:
    if document is None:
        return "No whole run has been kept yet: `make bench` measures this machine.\n"
    told = ", ".join(f"{name} {text}" for name, text in document["machine"].items())
    lines = [f"Measured at {document['measured_at']} ({told}); a figure in bold is missed.", ""]
    lines += [
        "| reach | path | wanted | median | spread | beside it in the same runs |",
        "|---|---|---|---|---|---|",
    ]
    for name, of in document["reaches"].items():
        median = of["shown"] if of["reached"] else f"**{of['shown']}**"
        spread = f"{of['spread']:.0%} of {len(of['runs'])}"
        beside = "; ".join(f"{beside} {text}" for beside, text in of["beside"].items())
        lines.append(f"| `{name}` | {of['path']} | {of['wanted']} | {median} | {spread} | {beside} |")
    return "\n".join(lines) + "\n"
