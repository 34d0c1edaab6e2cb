"""What the views answer on small histories that can be checked by eye."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from stenograph.schemas import Column, ColumnType, Kind, TableShape
from stenograph.warehouses.duckdb.views import statements_for
from tests.history_tables import EPOCH, HistoryTable, order

LEAD = TableShape(
    (
        Column("id", ColumnType(Kind.INT64)),
        Column("status", ColumnType(Kind.TEXT)),
        Column("notes", ColumnType(Kind.TEXT)),
    ),
    ("id",),
)


def day(number: int) -> datetime:
    return EPOCH + timedelta(days=number)


def row(op: str, at: int, offset: int, **others: object) -> dict[str, object]:
    """A history row of day `at`; the day is its commit LSN too."""
    return {
        "_steno_op": op,
        "_steno_source": "crm",
        "_steno_committed_at": day(at),
        "_steno_changed_at": day(at),
        "_steno_order": order(at, offset),
        "_steno_topic": "crm.public.lead",
        "_steno_log_generation": "g1",
        "_steno_log_partition": 0,
        "_steno_log_offset": offset,
        "_steno_recorded_at": day(at) + timedelta(hours=1),
    } | others


@pytest.fixture
def lead() -> HistoryTable:
    return HistoryTable(LEAD)


def lives(table: HistoryTable) -> list[tuple[object, ...]]:
    """(id, status, notes, first day, last day, change, ended by) of every version, in order."""

    def days(value: object) -> int | None:
        return (value - EPOCH).days if isinstance(value, datetime) else None

    return sorted(
        (
            (
                one["id"],
                one["status"],
                one["notes"],
                days(one["valid_from"]),
                days(one["valid_to"]),
                one["change"],
                one["ended_by"],
            )
            for one in table.versions()
        ),
        key=lambda one: (str(one[3]), str(one[4] or "~"), str(one[0])),
    )


def statuses(answered: list[dict[str, object]]) -> Mapping[object, object]:
    return {one["id"]: one["status"] for one in answered}


def test_a_deleted_and_recreated_lead_has_two_lives(lead: HistoryTable) -> None:
    lead.fill(
        [
            row("create", 1, 0, id=42, status="new"),
            row("update", 2, 1, id=42, status="won"),
            row("delete", 3, 2, id=42),
            row("create", 5, 3, id=42, status="new"),
        ]
    )
    assert lives(lead) == [
        (42, "new", None, 1, 2, "create", "update"),
        (42, "won", None, 2, 3, "update", "delete"),
        (42, "new", None, 5, None, "create", None),
    ]
    assert statuses(lead.as_of(day(2))) == {42: "won"}
    assert statuses(lead.as_of(day(4))) == {}
    assert statuses(lead.current()) == {42: "new"}


def test_a_column_that_was_not_sent_keeps_its_value_across_a_key_change(lead: HistoryTable) -> None:
    unsent = {"_steno_unchanged": ["notes"]}
    lead.fill(
        [
            row("create", 1, 0, id=1, status="new", notes="long"),
            row("update", 2, 1, id=1, status="open", **unsent),
            row("delete", 3, 2, id=1, _steno_related_key='{"id":2}', _steno_order=order(3, 7, 0)),
            row(
                "create",
                3,
                3,
                id=2,
                status="open",
                _steno_related_key='{"id":1}',
                _steno_order=order(3, 7, 1),
                _steno_log_partition=1,
                **unsent,
            ),
        ]
    )
    assert lives(lead) == [
        (1, "new", "long", 1, 2, "create", "update"),
        (1, "open", "long", 2, 3, "update", "key change"),
        (2, "open", "long", 3, None, "key change", None),
    ]
    assert lead.newest("crm", order(3)) == [{"id": 1, "status": "open", "notes": "long"}]
    assert lead.newest("crm", order(4)) == [{"id": 2, "status": "open", "notes": "long"}]


def test_a_null_that_was_sent_is_not_filled(lead: HistoryTable) -> None:
    lead.fill(
        [
            row("create", 1, 0, id=1, status="new", notes="long"),
            row("update", 2, 1, id=1, status="new", notes=None),
            row("update", 3, 2, id=1, status="won", _steno_unchanged=["notes"]),
        ]
    )
    assert [one["notes"] for one in lead.current()] == [None]


def test_a_truncate_ends_the_versions_before_it_in_every_partition_of_its_source(lead: HistoryTable) -> None:
    lead.fill(
        [
            row("create", 1, 0, id=1, status="new"),
            row("create", 1, 0, id=2, status="new", _steno_log_partition=1),
            row("create", 1, 0, id=1, status="other", _steno_source="hub", _steno_topic="hub.public.lead"),
            row("truncate", 2, 1),
            row("create", 2, 1, id=2, status="again", _steno_log_partition=1, _steno_order=order(2, 9)),
        ]
    )
    assert lives(lead) == [
        (1, "new", None, 1, 2, "create", "truncate"),
        (2, "new", None, 1, 2, "create", "truncate"),
        (1, "other", None, 1, None, "create", None),
        (2, "again", None, 2, None, "create", None),
    ]
    assert statuses(lead.current()) == {1: "other", 2: "again"}


def test_a_table_that_is_read_again_shows_only_what_differs(lead: HistoryTable) -> None:
    lead.fill(
        [
            row("snapshot", 1, 0, id=1, status="new"),
            row("snapshot", 1, 1, id=2, status="new"),
            row("snapshot", 1, 2, id=3, status="new"),
            row("truncate", 4, 3, _steno_order=order(4, 0, 0)),
            row("snapshot", 4, 4, id=1, status="new", _steno_order=order(4, 0, 1)),
            row("snapshot", 4, 5, id=2, status="won", _steno_order=order(4, 0, 2)),
        ]
    )
    assert lives(lead) == [
        (2, "new", None, 1, 4, "snapshot", "truncate"),
        (3, "new", None, 1, 4, "snapshot", "truncate"),
        (1, "new", None, 1, None, "snapshot", None),
        (2, "won", None, 4, None, "snapshot", None),
    ]


def test_a_table_that_gets_another_primary_key_loses_no_version(lead: HistoryTable) -> None:
    """The key was `notes` and becomes `id`: a row's partition is another one, where offsets are lower."""
    unsent = {"_steno_unchanged": ["notes"]}
    lead.fill(
        [
            *(
                row(
                    "create",
                    1,
                    100 + number,
                    id=number,
                    status="new",
                    notes=f"n{number}",
                    _steno_log_partition=1,
                )
                for number in range(4)
            ),
            row("delete", 2, 110, id=3, _steno_log_partition=1),
            row("truncate", 4, 0, _steno_order=order(4)),
            row("snapshot", 4, 1, id=0, status="new", notes="n0", _steno_order=order(4, 0, 1)),
            row("snapshot", 4, 2, id=1, status="won", notes="n1", _steno_order=order(4, 0, 2)),
            row("update", 5, 3, id=0, status="open", **unsent),
            row("create", 6, 4, id=3, status="new", notes="n3"),
            row("update", 7, 5, id=3, status="lost", **unsent),
        ]
    )
    assert lives(lead) == [
        (3, "new", "n3", 1, 2, "create", "delete"),
        (1, "new", "n1", 1, 4, "create", "truncate"),
        (2, "new", "n2", 1, 4, "create", "truncate"),
        (0, "new", "n0", 1, 5, "create", "update"),
        (1, "won", "n1", 4, None, "snapshot", None),
        (0, "open", "n0", 5, None, "update", None),
        (3, "new", "n3", 6, 7, "create", "update"),
        (3, "lost", "n3", 7, None, "update", None),
    ]
    assert statuses(lead.as_of(day(1))) == {0: "new", 1: "new", 2: "new", 3: "new"}
    assert statuses(lead.as_of(day(4))) == {0: "new", 1: "won"}
    assert statuses(lead.as_of(day(6))) == {0: "open", 1: "won", 3: "new"}
    assert statuses(lead.current()) == {0: "open", 1: "won", 3: "lost"}
    assert statuses(lead.newest("crm", order(4))) == {0: "new", 1: "new", 2: "new"}


def test_a_row_that_was_gone_before_it_was_read_again_has_two_lives(lead: HistoryTable) -> None:
    lead.fill(
        [
            row("create", 1, 0, id=1, status="new"),
            row("create", 1, 1, id=2),
            row("delete", 2, 2, id=2),
            row("truncate", 3, 3),
            row("snapshot", 5, 4, id=1, status="new"),
            row("snapshot", 5, 5, id=2),
        ]
    )
    assert lives(lead) == [
        (2, None, None, 1, 2, "create", "delete"),
        (1, "new", None, 1, 3, "create", "truncate"),
        (1, "new", None, 5, None, "snapshot", None),
        (2, None, None, 5, None, "snapshot", None),
    ]


@pytest.mark.parametrize(
    "end", [row("delete", 2, 1, id=1), row("truncate", 2, 1)], ids=["delete", "truncate"]
)
def test_nothing_is_filled_from_the_life_before(lead: HistoryTable, end: Mapping[str, object]) -> None:
    lead.fill(
        [
            row("create", 1, 0, id=1, status="new", notes="long"),
            end,
            row("update", 3, 2, id=1, status="open", _steno_unchanged=["notes"]),
        ]
    )
    assert lead.current() == [{"id": 1, "status": "open", "notes": None, "_steno_source": "crm"}]


def test_an_empty_row_that_is_seen_after_its_delete_is_a_new_life(lead: HistoryTable) -> None:
    lead.fill([row("create", 1, 0, id=2), row("delete", 2, 1, id=2), row("snapshot", 4, 2, id=2)])
    assert lives(lead) == [
        (2, None, None, 1, 2, "create", "delete"),
        (2, None, None, 4, None, "snapshot", None),
    ]


def test_a_clock_that_steps_back_does_not_reorder_history(lead: HistoryTable) -> None:
    lead.fill(
        [
            row("create", 5, 0, id=1, status="new"),
            row("update", 3, 1, id=1, status="open", _steno_order=order(6)),
            row("update", 7, 2, id=1, status="won"),
        ]
    )
    assert lives(lead) == [
        (1, "new", None, 5, 5, "create", "update"),
        (1, "open", None, 5, 7, "update", "update"),
        (1, "won", None, 7, None, "update", None),
    ]
    assert statuses(lead.as_of(day(4))) == {}
    assert statuses(lead.as_of(day(5))) == {1: "open"}


def test_a_later_generation_of_the_log_comes_after_an_earlier_one(lead: HistoryTable) -> None:
    lead.fill(
        [
            row("create", 1, 900, id=1, status="new", _steno_log_generation="z"),
            row("update", 2, 0, id=1, status="won", _steno_log_generation="a"),
        ]
    )
    assert statuses(lead.current()) == {1: "won"}


def test_a_record_that_was_stored_late_takes_its_place(lead: HistoryTable) -> None:
    lead.fill(
        [
            row("create", 1, 0, id=1, status="new"),
            row("update", 3, 2, id=1, status="won"),
            row("update", 2, 1, id=1, status="open", _steno_recorded_at=day(9)),
        ]
    )
    assert [one[1] for one in lives(lead)] == ["new", "open", "won"]
    assert statuses(lead.current()) == {1: "won"}


def test_a_table_without_a_key_has_only_a_current_view() -> None:
    keyless = TableShape(LEAD.columns, ())
    assert len(statements_for("lead_history", keyless, ())) == 1
    table = HistoryTable(keyless)
    table.fill(
        [
            row("create", 1, 0, id=1, status="lost"),
            row("truncate", 2, 1),
            row("create", 3, 2, id=1, status="new"),
            row("create", 3, 3, id=1, status="new"),
            row("create", 3, 4, id=2, status="new"),
            row("delete", 4, 5, id=1, status="new"),
        ]
    )
    assert sorted((one["id"], one["status"]) for one in table.current()) == [(1, "new"), (2, "new")]
