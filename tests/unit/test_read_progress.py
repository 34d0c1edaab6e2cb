"""How far the reading of a table is, as people are told, and as one process tells another."""

from __future__ import annotations

from pathlib import Path

import pytest

from stenograph.events import TableId
from stenograph.ports import ReadProgress, StoredGap, open_gaps
from stenograph.supervisor import RunFile, read_state
from tests.history_batches import AT

LEAD = TableId("public", "lead")
HALF = ReadProgress(LEAD, rows=1500, expected=3000, seconds=0.5)


def test_progress_says_rows_percent_rate_and_time_left() -> None:
    assert str(HALF) == "public.lead: 1,500 rows, about 50 %, 3,000 rows/s, 0 s left"


@pytest.mark.parametrize("expected", [None, 0])
def test_progress_claims_no_share_of_what_nobody_has_counted(expected: int | None) -> None:
    assert ReadProgress(LEAD, 1500, expected, 0.5).percent is None


def test_a_table_larger_than_its_estimate_is_not_done_before_its_end() -> None:
    more = ReadProgress(LEAD, rows=5000, expected=3000, seconds=1.0)
    assert (more.percent, more.seconds_left) == (99.9, 0.0)


def test_a_run_file_tells_other_processes_what_is_read(tmp_path: Path) -> None:
    run = RunFile(tmp_path, "capture")
    run.reads(HALF)
    run.close()
    state = read_state(tmp_path, "capture")
    assert state is not None
    assert state.reading == HALF


def gap(table: str | None, repaired_by: int | None = None, source: str = "crm") -> StoredGap:
    return StoredGap(source, table, "0/1", "0/2", "why", repaired_by, AT)


def test_a_gap_is_open_until_its_table_or_all_tables_are_read_later() -> None:
    lead, deal, whole, other = gap("lead"), gap("deal"), gap(None), gap("lead", source="erp")
    assert open_gaps([lead, deal, whole, other]) == [lead, deal, whole, other]
    assert open_gaps([lead, deal, whole, gap("lead", 7)]) == [deal, whole]
    assert open_gaps([lead, deal, whole, other, gap(None, 7)]) == [other]
    # A rewrite after the reading is another one, also if history stored both at one instant.
    assert open_gaps([lead, gap("lead", 7), lead]) == [lead]
