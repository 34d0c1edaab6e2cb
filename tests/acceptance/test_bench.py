"""`make bench` asks for every figure that the project promises, and a figure that is missed cannot pass unseen."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from bench import run
from bench.figures import Failure, Figure
from bench.reaches import REACHES, Better, Reach
from bench.report import BEGIN, END, as_json, as_markdown, with_figures
from bench.run import STAGES, chosen, said
from bench.verdict import Known, KnownIsWrong, judged, known
from tests.documents import ROOT

BENCH = ROOT / "bench"
LATEST = BENCH / "results" / "latest.json"
PAGE = ROOT / "docs" / "performance.md"

PROMISED: Mapping[str, tuple[Better, float]] = {
    "stream-avro": (Better.ABOVE, 0.85),
    "stream-log": (Better.ABOVE, 0.6),
    "snapshot-log": (Better.ABOVE, 150_000),
    "log-duckdb": (Better.ABOVE, 200_000),
    "whole-path": (Better.ABOVE, 70_000),
    "latency-p50": (Better.BELOW, 300),
    "latency-p99": (Better.BELOW, 1_000),
    "capture-memory": (Better.BELOW, 150),
    "sink-memory": (Better.BELOW, 500),
    "idle-capture": (Better.BELOW, 0.01),
    "idle-sink": (Better.BELOW, 0.01),
    "idle-writes": (Better.BELOW, 0),
    "growth-changes": (Better.BELOW, 1.2),
    "growth-history": (Better.BELOW, 1.2),
    "growth-tables": (Better.BELOW, 1.2),
    "view-current": (Better.BELOW, 2_000),
    "view-as-of": (Better.BELOW, 2_000),
    "view-by-month": (Better.BELOW, 2_000),
}
"""What was promised. A limit that is to be easier is changed here too, where it is seen."""

ONE = Reach("one", "a path", "a stage", 10, Better.ABOVE, "rows/s")
TWO = Reach("two", "another path", "a stage", 10, Better.BELOW, "ms")
GOOD = {"one": Figure("one", (9, 11, 12)), "two": Figure("two", (10,))}
HEAD = "| reach | cause | next step |\n|---|---|---|\n"


def test_every_promise_is_a_reach_with_its_limit() -> None:
    assert {reach.name: (reach.better, reach.limit) for reach in REACHES} == PROMISED


def test_every_reach_has_a_stage_that_measures_it() -> None:
    assert {reach.stage for reach in REACHES} == set(STAGES)


def test_known_misses_name_existing_reaches_with_cause_and_next_step() -> None:
    known((BENCH / "known.md").read_text(encoding="utf-8"), REACHES)


@pytest.mark.parametrize(
    "row",
    ["| `three` | a cause | a step |", "| `one` | a cause | |", "| `one` | c | s |\n| `one` | c | s |"],
    ids=["no such reach", "no next step", "twice"],
)
def test_a_row_of_known_misses_that_says_too_little_is_refused(row: str) -> None:
    with pytest.raises(KnownIsWrong):
        known(f"{HEAD}{row}\n", [ONE, TWO])


def test_all_reaches_held_is_success() -> None:
    verdict = judged([ONE, TWO], GOOD, [], {})
    assert (verdict.missed, said(verdict)) == ((), 0)


def test_a_missed_reach_that_nobody_named_is_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = judged([ONE, TWO], GOOD | {"one": Figure("one", (9.9,))}, [], {})
    assert (verdict.missed, verdict.unnamed, said(verdict)) == (("one",), ("one",), 1)
    assert "one is missed" in capsys.readouterr().err


def test_a_missed_reach_that_is_named_is_success_and_said() -> None:
    of = known(f"{HEAD}| `two` | The disk is slow. | Buy one. |\n", [ONE, TWO])
    figures = GOOD | {"two": Figure("two", (11,))}
    verdict = judged([ONE, TWO], figures, [], of)
    assert (verdict.missed, said(verdict)) == (("two",), 0)
    page = as_markdown([ONE, TWO], figures, [], verdict, of, {})
    assert "**11 ms**" in page
    assert "The disk is slow. Buy one." in page


def test_a_figure_that_was_not_measured_is_missed() -> None:
    assert judged([ONE, TWO], {"one": GOOD["one"]}, [], {}).unnamed == ("two",)


def test_a_stage_that_failed_is_exit_1_even_where_a_miss_is_named() -> None:
    verdict = judged([ONE], {}, [Failure("a stage", "no disk")], {"one": Known("a cause", "a step")})
    assert verdict.exit_code == 1


def test_a_named_miss_that_holds_again_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = judged([ONE], GOOD, [], {"one": Known("a cause", "a step")})
    assert (verdict.outgrown, said(verdict)) == (("one",), 0)
    assert "take its row out" in capsys.readouterr().err


def test_only_takes_reaches_and_stages_by_name() -> None:
    assert [reach.name for reach in chosen(["idle", "stream-avro"])] == [
        "stream-avro",
        "idle-capture",
        "idle-sink",
        "idle-writes",
    ]
    assert chosen([]) == REACHES


def test_only_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["steram"]) == 2
    assert "steram" in capsys.readouterr().err


def test_the_document_says_what_was_measured_and_whether_it_is_enough() -> None:
    of = {"two": Known("The disk is slow.", "Buy one.")}
    figures = GOOD | {"two": Figure("two", (10, 20, 30), {"beside": "1 s"})}
    document = json.loads(as_json([ONE, TWO], figures, {"machine": {"cores": "2"}}, 9.6, of))
    assert document["machine"] == {"cores": "2"}
    assert document["seconds"] == 10
    one, two = document["reaches"]["one"], document["reaches"]["two"]
    assert (one["figure"], one["shown"], one["reached"]) == (11, "11 rows/s", True)
    assert (two["figure"], two["reached"], two["cause"], two["spread"]) == (
        20,
        False,
        "The disk is slow.",
        1.0,
    )


def _latest() -> dict[str, dict[str, object]]:
    if not LATEST.exists():
        return {}
    found: dict[str, dict[str, object]] = json.loads(LATEST.read_text(encoding="utf-8"))["reaches"]
    return found


def test_the_page_says_what_the_newest_results_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    document = json.loads(LATEST.read_text(encoding="utf-8")) if LATEST.exists() else None
    assert with_figures(page, document) == page


def test_the_page_takes_its_figures_from_the_results_alone() -> None:
    document = json.loads(as_json([ONE, TWO], GOOD, {"machine": {"cores": "2"}}, 1, {}))
    page = with_figures(f"before\n{BEGIN}\nan old figure\n{END}\nafter\n", document)
    assert "an old figure" not in page
    assert "| `one` | a path | at least 10 rows/s | 11 rows/s | 27% of 3 |" in page
    assert page.startswith("before\n")
    assert page.endswith("after\n")


def test_whatever_the_newest_results_miss_is_named() -> None:
    named = known((BENCH / "known.md").read_text(encoding="utf-8"), REACHES)
    assert {name for name, of in _latest().items() if not of["reached"]} <= set(named)
