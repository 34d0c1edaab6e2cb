"""A record's place in its source's order, and what a second record at a place means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stenograph.errors import Action, LaneRegressed, RecordUnreadable
from stenograph.events import ChangeEvent, Op, Transaction
from stenograph.offsets import LaneMark, Partition, order_of
from stenograph.sink.place import Place, derived_place, is_duplicate
from tests.change_samples import change, lead

AT = Partition("crm.public.lead", 2)
MARK = LaneMark(order_of(1, 5, 5, 0), committed_at=500)


def streamed(sequence: str | None, lsn: int | None, total: int | None) -> ChangeEvent:
    event = change(Op.CREATE, lead(1), 1)
    return replace(
        event,
        origin=replace(event.origin, sequence=sequence, lsn=lsn),
        transaction=None if total is None else Transaction("1", total, 1),
    )


def test_a_streamed_change_of_debezium_has_its_place_from_the_source_block() -> None:
    assert derived_place(streamed('["7","9"]', 9, 3), 100) == Place("crm/postgresql", order_of(0, 7, 9, 3))


def test_before_the_first_commit_there_is_no_previous_one() -> None:
    assert derived_place(streamed('[null,"9"]', 9, 3), 100) == Place("crm/postgresql", order_of(0, 0, 9, 3))


def test_a_snapshot_row_of_debezium_never_repeats() -> None:
    place = derived_place(change(Op.SNAPSHOT, lead(1), 1), 100)

    assert place == Place("crm/postgresql/snapshot", order_of(0, 16, 0, 100), repeats=False)
    assert not is_duplicate(place, 1, LaneMark(place.order, 1), AT, 100)


@pytest.mark.parametrize(
    ("sequence", "lsn"), [("not JSON", 9), ("[]", 9), ('["x"]', 9), ("5", 9), ('["1"]', -9), ('["-1"]', 9)]
)
def test_a_source_block_without_a_place_is_unreadable(sequence: str, lsn: int) -> None:
    with pytest.raises(RecordUnreadable):
        derived_place(streamed(sequence, lsn, 1), 100)


def test_what_is_above_the_mark_is_new_and_what_is_not_is_a_repeat() -> None:
    assert not is_duplicate(Place("l", order_of(1, 5, 5, 1)), 500, MARK, AT, 1)
    assert not is_duplicate(Place("l", order_of(1, 5, 5, 0)), 500, None, AT, 1)
    assert is_duplicate(Place("l", order_of(1, 5, 5, 0)), 500, MARK, AT, 1)
    assert is_duplicate(Place("l", order_of(1, 4, 9, 9)), 1, MARK, AT, 1)


def test_a_lower_place_committed_later_is_a_source_that_went_back() -> None:
    with pytest.raises(LaneRegressed) as refusal:
        is_duplicate(Place("l", order_of(1, 4, 4, 0)), 501, MARK, AT, 17)

    assert refusal.value.action is Action.PAUSE
    assert refusal.value.facts["topic"] == AT.topic
    assert refusal.value.facts["offset"] == 17
