"""What every source promises, as the ports word it.

An adapter joins with one line in `tests/source_adapters.py`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate

import pytest

from stenograph.events import Op
from tests.change_samples import SOURCE
from tests.following import PATIENCE, SOON, Following, following, given_in, rows_after, streaming
from tests.source_adapters import (
    CONTACT,
    LEAD,
    SOURCES,
    TABLES,
    Edit,
    SourceAdapter,
    commit,
    create,
    delete,
    update,
)


@pytest.fixture(params=list(SOURCES))
def adapter(request: pytest.FixtureRequest) -> Iterator[SourceAdapter]:
    with SOURCES[str(request.param)](request) as made:
        yield made


@pytest.fixture
def capture(adapter: SourceAdapter) -> Iterator[Following]:
    with streaming(adapter) as made:
        yield made


def many(first: int, count: int) -> list[Edit]:
    """New leads in one transaction."""
    return [create(number) for number in range(first, first + count)]


VARIED = (
    [create(1, "new"), create(1, "new", table=CONTACT)],
    [update(1, "won"), update(1, "lost"), delete(1, table=CONTACT)],
    many(10, 20),
    [delete(1), create(1, "back")],
)
"""Transactions over both tables, with several changes of one row in one of them."""
ALL_VARIED = [edit for edits in VARIED for edit in edits]


def test_a_change_is_given_once_its_transaction_has_committed(capture: Following) -> None:
    transaction = capture.adapter.begin()
    transaction.apply(create(1))
    capture.commit([create(2)])
    capture.until_given(1)
    assert capture.edits == [create(2)]
    transaction.apply(update(1, "won"))
    transaction.commit()
    capture.until_given(3)
    assert capture.edits == [create(2), create(1), update(1, "won")]


def test_nothing_of_a_rolled_back_transaction_is_given(capture: Following) -> None:
    """Invariant 7."""
    transaction = capture.adapter.begin()
    transaction.apply(create(1), create(1, table=CONTACT))
    transaction.roll_back()
    capture.commit([create(2)], [create(2, table=CONTACT)])
    capture.until_given(2)
    assert capture.edits == [create(2), create(2, table=CONTACT)]


def test_changes_come_as_they_were_made_in_the_order_of_commits(capture: Following) -> None:
    capture.commit(*VARIED)
    capture.until_given(len(ALL_VARIED))
    assert capture.edits == ALL_VARIED
    assert {one.topic for one in capture.given} == {table.topic(SOURCE) for table in TABLES}
    assert {batch.source for batch in capture.batches} == {SOURCE}


def test_what_is_given_again_has_the_same_lane_order_and_bytes(capture: Following) -> None:
    capture.commit(*VARIED)
    first = given_in(capture.adapter, capture.look(len(ALL_VARIED)))
    capture.limit = 3
    capture.reopen()
    assert given_in(capture.adapter, capture.look(len(ALL_VARIED))) == first


def test_nothing_is_forgotten_before_it_is_acknowledged(capture: Following) -> None:
    """Invariant 1."""
    capture.commit(*VARIED)
    looks = []
    for _ in range(3):
        looked = capture.look_on(len(ALL_VARIED))
        looks.append([one.edit for one in given_in(capture.adapter, looked)])
        capture.reopen()
    assert looks == [ALL_VARIED] * 3


def test_keeping_a_source_alive_acknowledges_nothing(capture: Following) -> None:
    """Invariant 1."""
    capture.commit(*VARIED)
    capture.source.keep_alive()
    capture.look_on(len(ALL_VARIED))
    for _ in range(3):
        capture.source.keep_alive()
    capture.reopen()
    capture.source.keep_alive()
    capture.until_given(len(ALL_VARIED))
    assert capture.edits == ALL_VARIED


def test_what_follows_an_acknowledged_position_comes_exactly_once(capture: Following) -> None:
    for number in range(1, 5):
        capture.commit([create(number)], [update(number, "won")])
        capture.until_given(2 * number)
        capture.reopen()
    capture.commit([create(9)])
    capture.until(lambda: create(9) in capture.edits)
    expected = [edit for number in range(1, 5) for edit in (create(number), update(number, "won"))]
    assert capture.edits == [*expected, create(9)]


def test_an_acknowledged_position_takes_nothing_with_it_that_was_given_after_it(capture: Following) -> None:
    """Invariant 1."""
    capture.commit([create(1)])
    upto = capture.look_on(1)[-1].upto
    assert upto is not None
    capture.commit([create(2)])
    capture.look_on(1)
    capture.source.acknowledge(upto)
    capture.positions.append(upto)
    capture.reopen()
    capture.until_given(1)
    assert capture.edits == [create(2)]


def test_the_position_moves_while_the_source_is_far_behind(capture: Following) -> None:
    """Were it to move only at the end, a capture that is killed on the way would begin at the start each time."""
    capture.limit = 5
    capture.commit(*([create(number)] for number in range(1, 51)))
    looked = capture.look(25)
    first = next(order for batch in looked for order in batch.orders)
    positions = [batch.upto for batch in looked if batch.upto is not None]
    assert any(capture.adapter.covers(position, first) for position in positions)


def test_orders_rise_within_a_lane_and_are_unique(capture: Following) -> None:
    capture.limit = 4
    capture.commit(*VARIED)
    capture.until_given(len(ALL_VARIED))
    capture.reopen()
    capture.commit(many(40, 10))
    capture.until_given(len(ALL_VARIED) + 10)
    lanes: dict[str, list[bytes]] = defaultdict(list)
    for one in capture.given:
        lanes[one.lane].append(one.order)
    assert all(orders == sorted(set(orders)) for orders in lanes.values())


def test_a_batch_may_end_inside_a_transaction_and_its_position_does_not(capture: Following) -> None:
    capture.limit = 3
    capture.commit(many(1, 10))
    looked = capture.look_on(10)
    cut = [
        batch
        for reached, batch in zip(accumulate(len(batch) for batch in looked), looked, strict=True)
        if reached < 10
    ]
    assert any(len(batch) for batch in cut)
    first = next(order for batch in looked for order in batch.orders)
    positions = [batch.upto for batch in cut if batch.upto is not None]
    assert not any(capture.adapter.covers(position, first) for position in positions)


def test_a_transaction_that_was_cut_is_given_from_its_start(capture: Following) -> None:
    """Also where the position has moved to a commit in the same batch."""
    capture.limit = 4
    capture.commit([create(100)], many(1, 10))
    capture.until(lambda: create(1) in capture.edits)
    assert create(10) not in capture.edits
    cut = [one for one in capture.given if one.edit != create(100)]
    capture.batches.clear()
    capture.reopen()
    capture.until(lambda: create(10) in capture.edits)
    assert capture.edits[-10:] == many(1, 10)
    assert capture.edits[:-10] in ([], [create(100)])
    assert capture.given[-10:][: len(cut)] == cut


def test_positions_never_go_back(capture: Following) -> None:
    """Invariant 8."""
    capture.limit = 3
    for number in range(3):
        capture.commit([create(10 * number)], many(10 * number + 1, 9))
        capture.until_given(10 * (number + 1))
        capture.reopen()
        capture.step()
    orders = [position.order for position in capture.positions]
    assert orders == sorted(orders)
    assert orders[0] < orders[-1]


def test_an_idle_source_gives_an_empty_batch_within_the_wait(capture: Following) -> None:
    begun = time.monotonic()
    assert [len(capture.source.poll(10, SOON)) for _ in range(3)] == [0, 0, 0]
    assert time.monotonic() - begun < PATIENCE
    capture.commit([create(1)])
    capture.until_given(1)


def test_the_first_opening_gives_what_is_there_and_what_is_committed_meanwhile(
    adapter: SourceAdapter,
) -> None:
    commit(adapter, many(1, 10), [create(number, table=CONTACT) for number in range(1, 11)])
    with following(adapter) as capture:
        capture.limit = 4
        commits = [[update(number, "won"), delete(number, table=CONTACT)] for number in range(1, 6)]
        for edits in commits:
            capture.step()
            capture.commit(edits)
        expected = {
            *(("lead", number, "won" if number < 6 else "new") for number in range(1, 11)),
            *(("contact", number, "new") for number in range(6, 11)),
        }
        capture.until(lambda: rows_after(capture.given) == expected)
        rows: dict[tuple[str, int], list[bytes]] = defaultdict(list)
        for one in capture.given:
            rows[one.edit.table.name, one.edit.id].append(one.order)
        # A row may go from lane to lane, and its changes are told apart by their orders all the same.
        assert all(orders == sorted(set(orders)) for orders in rows.values())


def test_two_lanes_never_mix_in_one_batch(adapter: SourceAdapter) -> None:
    commit(adapter, many(1, 5), [create(number, table=CONTACT) for number in range(1, 6)])
    with following(adapter) as capture:
        capture.until(lambda: len(capture.edits) >= 10)
        capture.commit([update(1, "won"), update(1, "won", table=CONTACT)])
        capture.until(
            lambda: {(e.table, e.status) for e in capture.edits} >= {(LEAD, "won"), (CONTACT, "won")}
        )
        lanes: dict[bool, set[str]] = {True: set(), False: set()}
        for batch in capture.batches:
            if len(batch):
                (was_read,) = {one.edit.op is Op.SNAPSHOT for one in given_in(adapter, [batch])}
                lanes[was_read].add(batch.lane)
        assert not lanes[True] & lanes[False]


def test_a_source_may_be_closed_twice_also_inside_a_transaction(capture: Following) -> None:
    capture.limit = 3
    capture.commit(many(1, 10))
    capture.look(1)
    for _ in range(2):
        capture.source.close()


def test_a_source_that_was_never_polled_may_be_closed(adapter: SourceAdapter) -> None:
    source = adapter.open(None)
    for _ in range(2):
        source.close()
