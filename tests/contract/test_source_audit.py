"""What every audit of a source promises, as the ports word it.

An adapter joins with one line in `tests/source_adapters.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from stenograph.envelope.mapping import RowMapping
from stenograph.envelope.reading import EventReader
from stenograph.events import TableId
from stenograph.ports import SourceAudit
from stenograph.schemas import TablePlan, TableShape
from tests.change_samples import SOURCE
from tests.following import SEED, Following, following, rows_after, streaming
from tests.source_adapters import (
    AUDITED,
    CONTACT,
    LEAD,
    TABLES,
    AuditedAdapter,
    commit,
    create,
    delete,
    update,
)


@pytest.fixture(params=list(AUDITED))
def adapter(request: pytest.FixtureRequest) -> Iterator[AuditedAdapter]:
    with AUDITED[str(request.param)](request) as made:
        yield made


@pytest.fixture
def capture(adapter: AuditedAdapter) -> Iterator[Following]:
    with streaming(adapter) as made:
        yield made


SEEDS = {(table.name, SEED, "streaming") for table in TABLES}


def rows(adapter: AuditedAdapter, audit: SourceAudit) -> set[tuple[str, int, str | None]]:
    """Table, id and status of every row that the audit reads; none may come twice."""
    found = [
        (table.name, row["id"], row["status"])
        for table in TABLES
        for chunk in audit.rows(*_mapped(adapter, table))
        for row in chunk.to_pylist()
    ]
    assert len(found) == len(set(found))
    return set(found)


def _mapped(adapter: AuditedAdapter, table: TableId) -> tuple[TablePlan, TableShape]:
    topic = table.topic(SOURCE)
    plan = TablePlan(SOURCE, table, topic, f"{table.name}_history")
    latest = adapter.registry.latest(f"{topic}-value")
    assert latest is not None
    return plan, RowMapping(plan, EventReader(latest[1]).columns, ("id",)).shape


def test_the_rows_are_those_that_the_changes_below_its_position_leave(adapter: AuditedAdapter) -> None:
    with following(adapter) as capture:
        commit(adapter, [create(1), create(2), create(1, table=CONTACT)])
        capture.until(lambda: len(capture.edits) >= 3)
        commit(adapter, [update(1, "won"), delete(1, table=CONTACT)], [create(3), create(3, table=CONTACT)])
        with closing(adapter.audit(capture.stored)) as audit:
            commit(adapter, [delete(2), update(3, "lost")], [create(4)])
            capture.until(lambda: create(4) in capture.edits)
            before = [one for one in capture.given if one.order < audit.position()]
            after = [one.edit for one in capture.given if one.order >= audit.position()]
            assert rows(adapter, audit) == rows_after(before)
            assert rows_after(before) == {
                ("lead", 1, "won"),
                ("lead", 2, "new"),
                ("lead", 3, "new"),
                ("contact", 3, "new"),
            }
            assert after == [delete(2), update(3, "lost"), create(4)]


def test_rows_committed_later_are_not_in_it_however_late_it_is_read(
    adapter: AuditedAdapter, capture: Following
) -> None:
    capture.commit([create(1)])
    with closing(adapter.audit(capture.stored)) as audit:
        read_at_once = rows(adapter, audit)
        capture.commit([update(1, "won"), create(2, table=CONTACT)], [delete(SEED)])
        capture.until_given(4)
        assert read_at_once == rows(adapter, audit) == {*SEEDS, ("lead", 1, "new")}


def test_nothing_of_an_uncommitted_transaction_is_in_it(adapter: AuditedAdapter, capture: Following) -> None:
    transaction = adapter.begin()
    transaction.apply(create(1), delete(SEED))
    transaction.roll_back()
    with closing(adapter.audit(capture.stored)) as audit:
        assert rows(adapter, audit) == SEEDS


def test_it_is_reached_only_once_the_log_holds_every_change_before_it(
    adapter: AuditedAdapter, capture: Following
) -> None:
    capture.limit = 2
    edits = [create(number) for number in range(1, 6)]
    capture.commit(*([edit] for edit in edits))
    with closing(adapter.audit(capture.stored)) as audit:
        assert not audit.reached(None)
        assert not audit.reached(capture.stored)
        capture.until(lambda: audit.reached(capture.stored))
        assert capture.edits == edits


def test_an_idle_source_is_reached_too(adapter: AuditedAdapter, capture: Following) -> None:
    with closing(adapter.audit(capture.stored)) as audit:
        capture.until(lambda: audit.reached(capture.stored))
    assert capture.edits == []


def test_an_audit_once_reached_stays_reached(adapter: AuditedAdapter, capture: Following) -> None:
    with closing(adapter.audit(capture.stored)) as audit:
        capture.until(lambda: audit.reached(capture.stored))
        capture.commit([create(1)])
        assert audit.reached(capture.stored)
        capture.until_given(1)
        assert audit.reached(capture.stored)


def test_positions_of_later_audits_are_not_lower(adapter: AuditedAdapter, capture: Following) -> None:
    positions = []
    for number in range(1, 4):
        with closing(adapter.audit(capture.stored)) as audit:
            positions.append(audit.position())
            assert audit.position() == positions[-1]
        capture.commit([create(number)])
        capture.until_given(number)
    assert positions == sorted(positions)


def test_tables_that_are_not_read_yet_are_unchecked(adapter: AuditedAdapter) -> None:
    count = 20
    commit(adapter, *([create(number, table=table) for number in range(count)] for table in TABLES))
    with following(adapter) as capture:
        capture.limit = 5
        with closing(adapter.audit(None)) as audit:
            assert set(audit.unchecked(None)) == set(TABLES)
            assert all(audit.unchecked(None).values())
        seen = []
        while len(capture.edits) < count * len(TABLES):
            capture.step()
            with closing(adapter.audit(capture.stored)) as audit:
                unchecked = set(audit.unchecked(capture.stored))
            unread = {table for table in TABLES if given_of(capture, table) < count}
            assert unread <= unchecked
            seen.append(unchecked)
        assert seen[0] == {LEAD, CONTACT}


def test_tables_that_are_read_are_checked(adapter: AuditedAdapter, capture: Following) -> None:
    with closing(adapter.audit(capture.stored)) as audit:
        capture.until(lambda: audit.reached(capture.stored))
        assert audit.unchecked(capture.stored) == {}


def given_of(capture: Following, table: TableId) -> int:
    return sum(edit.table == table for edit in capture.edits)


def test_an_audit_may_be_closed_twice(adapter: AuditedAdapter, capture: Following) -> None:
    audit = adapter.audit(capture.stored)
    chunks = audit.rows(*_mapped(adapter, LEAD))
    assert next(chunks).num_rows == 1
    for _ in range(2):
        audit.close()
