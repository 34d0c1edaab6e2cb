"""What a history table must become for a new shape."""

from __future__ import annotations

import pytest

from stenograph.errors import Action, SchemaConflict
from stenograph.schemas import Column, ColumnType, Kind, TableShape
from stenograph.sink.evolution import evolved
from tests.change_samples import LEAD, plan_of

PLAN = plan_of(LEAD)
ID, STATUS = Column("id", ColumnType(Kind.INT64)), Column("status", ColumnType(Kind.TEXT))
SCORE = Column("score", ColumnType(Kind.INT32))


def test_a_table_that_is_not_there_gets_every_column() -> None:
    need = TableShape((ID, STATUS), ("id",))
    assert evolved(PLAN, None, need) == (need, (ID, STATUS))


def test_a_new_column_is_added_behind_the_others() -> None:
    known, need = TableShape((ID, STATUS), ("id",)), TableShape((SCORE, ID, STATUS), ("id",))
    assert evolved(PLAN, known, need) == (TableShape((ID, STATUS, SCORE), ("id",)), (SCORE,))


def test_a_column_that_the_source_dropped_stays() -> None:
    known = TableShape((ID, STATUS, SCORE), ("id",))
    assert evolved(PLAN, known, TableShape((ID,), ("id",))) == (known, ())


def test_the_key_follows_the_newest_schema_that_has_one() -> None:
    known = TableShape((ID, STATUS), ("id",))
    assert evolved(PLAN, known, TableShape((ID, STATUS), ()))[0].key == ("id",)
    assert evolved(PLAN, known, TableShape((ID, STATUS), ("status",)))[0].key == ("status",)


def test_a_column_of_another_type_stops_its_table() -> None:
    known = TableShape((ID, Column("status", ColumnType(Kind.INT32))), ("id",))

    with pytest.raises(SchemaConflict) as refusal:
        evolved(PLAN, known, TableShape((ID, STATUS), ("id",)))

    assert refusal.value.action is Action.PAUSE
    assert refusal.value.facts["topic"] == PLAN.topic
    assert refusal.value.facts["column"] == "status"
