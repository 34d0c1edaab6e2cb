"""What a history table must become for a new shape, and what its policy allows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stenograph.errors import Action, SchemaConflict
from stenograph.schemas import Column, ColumnType, Evolution, Kind, Lift, Model, SchemaChange, TableShape
from stenograph.schemas.shapes import Default
from stenograph.sink.evolution import evolved
from stenograph.sink.history_shapes import allowed
from tests.change_samples import LEAD, plan_of

PLAN = plan_of(LEAD)
SMALL, BIG, TEXT = ColumnType(Kind.INT32), ColumnType(Kind.INT64), ColumnType(Kind.TEXT)
ID, STATUS, SCORE = Column("id", BIG), Column("status", TEXT), Column("score", SMALL)
KNOWN = TableShape((ID, STATUS), ("id",))


def scored(of: ColumnType, *held: ColumnType) -> TableShape:
    return TableShape((ID, Column("score", of, held=held)), ("id",))


def change(known: TableShape | None, need: TableShape) -> SchemaChange:
    made = evolved(PLAN, known, need)
    assert made is not None
    return made


def test_a_table_that_is_not_there_gets_every_column() -> None:
    made = change(None, KNOWN)
    assert (made.table, made.shape, made.adds, made.widens) == (PLAN.history, KNOWN, (ID, STATUS), ())


def test_a_new_column_is_added_behind_the_others() -> None:
    made = change(KNOWN, TableShape((SCORE, ID, STATUS), ("id",)))
    assert (made.shape, made.adds) == (TableShape((ID, STATUS, SCORE), ("id",)), (SCORE,))
    assert made.adds[0].lift == Lift("score")


def test_a_column_that_the_source_dropped_stays() -> None:
    known = TableShape((ID, STATUS, SCORE), ("id",))
    assert evolved(PLAN, known, TableShape((ID,), ("id",))) is None


def test_the_key_follows_the_newest_schema_that_has_one() -> None:
    assert evolved(PLAN, KNOWN, TableShape((ID, STATUS), ())) is None
    assert change(KNOWN, TableShape((ID, STATUS), ("status",))).shape.key == ("status",)


@pytest.mark.parametrize(
    ("of", "to"),
    [
        (SMALL, BIG),
        (ColumnType(Kind.INT16), ColumnType(Kind.FLOAT32)),
        (SMALL, ColumnType(Kind.DECIMAL, 12, 2)),
        (ColumnType(Kind.DECIMAL, 10, 2), ColumnType(Kind.DECIMAL, 12, 4)),
        (ColumnType(Kind.DECIMAL, 10, 2), ColumnType(Kind.NUMBER_TEXT)),
        (ColumnType(Kind.FLOAT32), ColumnType(Kind.FLOAT64)),
        (SMALL, TEXT),
        (ColumnType(Kind.LIST, element=SMALL), ColumnType(Kind.LIST, element=BIG)),
    ],
    ids=str,
)
def test_a_type_is_widened_and_rows_of_the_old_one_still_fit(of: ColumnType, to: ColumnType) -> None:
    made = change(scored(of), scored(to))

    (wider,) = made.widens
    assert (wider.name, wider.type, wider.held) == ("score", to, (of,))
    assert made.shape == scored(to)
    assert evolved(PLAN, made.shape, scored(of)) is None


@pytest.mark.parametrize(
    ("known", "sent"),
    [
        (scored(TEXT), SMALL),
        (scored(BIG), ColumnType(Kind.FLOAT64)),
        (scored(ColumnType(Kind.DECIMAL, 10, 2)), ColumnType(Kind.DECIMAL, 9, 4)),
        (scored(ColumnType(Kind.DECIMAL, 12, 2), SMALL), ColumnType(Kind.NUMBER_TEXT)),
    ],
    ids=[
        "a number into text",
        "long to double",
        "a decimal with fewer whole digits",
        "digits that were not sent",
    ],
)
def test_a_type_that_cannot_be_widened_stops_its_table(known: TableShape, sent: ColumnType) -> None:
    with pytest.raises(SchemaConflict) as refusal:
        evolved(PLAN, known, scored(sent))

    assert refusal.value.action is Action.PAUSE
    assert refusal.value.facts["topic"] == PLAN.topic
    assert refusal.value.facts["column"] == "score"


def test_an_exact_text_gets_a_column_unless_the_source_has_one_of_that_name() -> None:
    text = Column("score__text", TEXT, text_of="score")
    need = TableShape((*scored(SMALL).columns, text), ("id",))
    theirs = TableShape((*scored(SMALL).columns, Column("score__text", TEXT)), ("id",))

    assert change(scored(SMALL), need).adds == (text,)
    assert evolved(PLAN, theirs, need) is None


def test_a_column_of_the_source_is_not_mixed_with_exact_texts() -> None:
    text = Column("score__text", TEXT, text_of="score")
    ours = TableShape((*scored(SMALL).columns, text), ("id",))
    theirs = TableShape((*scored(SMALL).columns, Column("score__text", TEXT)), ("id",))

    with pytest.raises(SchemaConflict) as refusal:
        evolved(PLAN, ours, theirs)

    assert refusal.value.facts["column"] == "score__text"


def test_a_field_of_a_later_version_is_read_from_beside_the_model_in_older_rows() -> None:
    first = Model("lead", 1, KNOWN)
    newest = Model("lead", 3, TableShape((ID, STATUS, SCORE), ("id",)), defaults={"score": Default("int", 7)})
    plan = replace(
        PLAN, model=newest, earlier=(first, Model("lead", 2, newest.shape)), renames={"points": "score"}
    )

    made = evolved(plan, KNOWN, newest.shape)

    assert made is not None
    assert made.adds[0].lift == Lift("points", 2, "7")


def test_a_frozen_table_asks_for_the_change_and_one_that_ignores_does_not() -> None:
    need = TableShape((ID, STATUS, SCORE), ("id",))
    frozen = allowed(replace(PLAN, evolution=Evolution.FREEZE), KNOWN, need)

    assert frozen is not None
    assert frozen.adds == (SCORE,)
    assert allowed(replace(PLAN, evolution=Evolution.IGNORE), KNOWN, need) is None


@pytest.mark.parametrize("policy", [Evolution.FREEZE, Evolution.IGNORE])
def test_no_column_for_exact_texts_is_made_unasked(policy: Evolution) -> None:
    plan = replace(PLAN, evolution=policy)
    need = TableShape((ID, STATUS, Column("id__text", TEXT, text_of="id")), ("id",))

    assert allowed(plan, KNOWN, need) is None
    first = allowed(plan, None, need)
    assert first is not None
    assert first.shape == KNOWN


def test_a_key_that_the_table_cannot_hold_is_never_ignored() -> None:
    plan = replace(PLAN, evolution=Evolution.IGNORE)
    rekeyed = TableShape((ID, STATUS, SCORE), ("score",))

    with pytest.raises(SchemaConflict) as refusal:
        allowed(plan, KNOWN, rekeyed)

    assert refusal.value.facts["column"] == "score"
    assert allowed(plan, KNOWN, TableShape((ID, STATUS), ("status",))) is not None
