"""`make bench`: measures everything that bench/reaches.py asks for and judges it against bench/known.md.

Ends with 1 if a reach is missed that known.md does not name. Only a whole run writes results.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench import stage_deep, stage_loops, stage_sink, stage_stream
from bench.figures import Failure, Figure, Say
from bench.reaches import REACHES, Reach
from bench.report import as_json, as_markdown, machine, versions, with_figures
from bench.stand import Stand, stand
from bench.verdict import KnownIsWrong, Verdict, judged, known

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "performance.md"
Stage = Callable[[Stand, Say], list[Figure]]

STAGES: Mapping[str, Stage] = {
    "stream": stage_stream.measure,
    "sink": stage_sink.measure,
    "whole": stage_loops.whole,
    "memory": stage_loops.memory,
    "latency": stage_loops.latency,
    "idle": stage_loops.idle,
    "growth": stage_loops.growth,
    "tables": stage_loops.tables,
    "deep": stage_deep.measure,
}


def chosen(only: Sequence[str]) -> tuple[Reach, ...]:
    """The reaches that these words name, each a reach or a stage; all of them for no word. Raise LookupError."""
    names = {reach.name for reach in REACHES} | set(STAGES)
    if unknown := [word for word in only if word not in names]:
        raise LookupError(f"ONLY names {', '.join(unknown)}; there are {', '.join(sorted(names))}.")
    return tuple(r for r in REACHES if not only or r.name in only or r.stage in only)


def measured(reaches: Sequence[Reach], place: Stand) -> tuple[dict[str, Figure], list[Failure]]:
    """Every figure of the reaches' stages, in the stages' own order."""
    figures: dict[str, Figure] = {}
    failures: list[Failure] = []
    wanted = {reach.stage for reach in reaches}
    for name, stage in STAGES.items():
        if name not in wanted:
            continue
        begun = time.monotonic()
        try:
            for figure in stage(place, partial(_say, name)):
                figures[figure.name] = figure
        except Exception as error:  # noqa: BLE001 - one stage that fails must not throw away the others' minutes.
            traceback.print_exc()
            failures.append(Failure(name, f"{type(error).__name__}: {error}"))
        _say(name, f"took {time.monotonic() - begun:.0f} s")
    return figures, failures


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, and write the results of a whole run; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="reaches or stages; all without one")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where a whole run's results go")
    options = parser.parse_args(words)
    only = [word for text in options.only for word in text.split()]
    try:
        reaches = chosen(only)
        excused = known((HERE / "known.md").read_text(encoding="utf-8"), REACHES)
    except (LookupError, KnownIsWrong) as fault:
        print(fault, file=sys.stderr)
        return 2
    begun = time.monotonic()
    with stand() as place:
        figures, failures = measured(reaches, place)
        facts = {"machine": machine() | {"load before": f"{_LOAD:.1f}"}, "versions": versions(place.version)}
    verdict = judged(reaches, figures, failures, excused)
    page = as_markdown(reaches, figures, failures, verdict, excused, facts)
    print(f"\n{page}")
    if not only and not failures:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / f"{datetime.now(UTC):%Y-%m-%d}.md").write_text(page, encoding="utf-8")
        document = as_json(reaches, figures, facts, time.monotonic() - begun, excused)
        (options.out / "latest.json").write_text(document, encoding="utf-8")
        if options.out == RESULTS:
            PAGE.write_text(with_figures(PAGE.read_text("utf-8"), json.loads(document)), encoding="utf-8")
    return said(verdict)


def said(verdict: Verdict) -> int:
    """Print what the verdict means for known.md; its exit code."""
    for name in verdict.unnamed:
        print(f"{name} is missed, and bench/known.md does not say why.", file=sys.stderr)
    for name in verdict.outgrown:
        print(f"{name} holds now: take its row out of bench/known.md.", file=sys.stderr)
    return verdict.exit_code


_LOAD = os.getloadavg()[0]


def _say(stage: str, words: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S}  {stage:8}  {words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
