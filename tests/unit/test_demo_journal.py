"""The CRM's journal: what is written is counted once, and what is being written not yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from stenograph.demo.count import Difference, differences
from stenograph.demo.journal import Change, JournalReader, JournalWriter, Kind

CREATED = Kind("lead", Change.CREATE)
MOVED = Kind("lead", Change.KEY_CHANGE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture
def writer(path: Path) -> Iterator[JournalWriter]:
    made = JournalWriter(path)
    yield made
    made.close()


def test_a_journal_that_is_not_there_yet_says_nothing(path: Path) -> None:
    tally = JournalReader(path).read()
    assert (tally.committed, tally.rolled_back, tally.rows, tally.said) == (0, 0, 0, [])


def test_committed_changes_add_up(path: Path, writer: JournalWriter) -> None:
    reader = JournalReader(path)
    writer.committed({CREATED: 2, Kind("deal", Change.UPDATE): 1})
    reader.read()
    writer.committed({CREATED: 3, Kind("deal", Change.DELETE): 0})
    tally = reader.read()
    assert tally.changes == {CREATED: 5, Kind("deal", Change.UPDATE): 1}
    assert tally.committed == 2


def test_reading_twice_counts_nothing_twice(path: Path, writer: JournalWriter) -> None:
    reader = JournalReader(path)
    writer.committed({CREATED: 2})
    reader.read()
    assert reader.read().rows == 2


def test_a_transaction_that_was_rolled_back_leaves_no_change(path: Path, writer: JournalWriter) -> None:
    writer.rolled_back()
    tally = JournalReader(path).read()
    assert (tally.rolled_back, tally.committed, tally.rows) == (1, 0, 0)


def test_rows_from_before_belong_to_no_transaction(path: Path, writer: JournalWriter) -> None:
    writer.found({"lead": 3000, "deal": 500})
    tally = JournalReader(path).read()
    assert (tally.committed, tally.rows) == (0, 3500)
    assert tally.changes[Kind("lead", Change.SNAPSHOT)] == 3000


def test_a_key_change_is_two_rows_of_history(path: Path, writer: JournalWriter) -> None:
    writer.committed({MOVED: 1, CREATED: 1})
    assert JournalReader(path).read().rows == 3


def test_what_was_said_is_heard_in_order(path: Path, writer: JournalWriter) -> None:
    writer.say("one")
    writer.committed({CREATED: 1})
    writer.say("two")
    assert JournalReader(path).read().said == ["one", "two"]


def test_half_a_line_waits_for_its_other_half(path: Path, writer: JournalWriter) -> None:
    writer.committed({CREATED: 2})
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:10])
    reader = JournalReader(path)
    assert reader.read().rows == 2
    path.write_bytes(whole + whole)
    assert reader.read().rows == 4


def test_equal_counts_have_no_difference() -> None:
    assert differences({CREATED: 2, MOVED: 0}, Counter({CREATED: 2})) == []


@pytest.mark.parametrize(("journal", "history"), [(3, 2), (2, 3), (1, 0), (0, 1)])
def test_a_count_that_is_not_the_same_is_named(journal: int, history: int) -> None:
    found = differences({CREATED: journal}, {CREATED: history})
    assert found == [Difference(CREATED, journal, history)]
    assert "lead, create" in str(found[0])
