"""A table's rows as history rows, with and without a model."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pytest

from stenograph.envelope.casts import lossless
from stenograph.envelope.mapping import RowMapping
from stenograph.envelope.table import WireColumn
from stenograph.errors import Action, SchemaConflict
from stenograph.events import Missing, TableId
from stenograph.history import arrow_type
from stenograph.schemas import Column, ColumnType, Kind, Model, TablePlan, TableShape

BIG, TEXT, SMALL = ColumnType(Kind.INT64), ColumnType(Kind.TEXT), ColumnType(Kind.INT32)
AMOUNT, WIDER_AMOUNT = ColumnType(Kind.DECIMAL, 11, 2), ColumnType(Kind.DECIMAL, 14, 2)
MODEL = Model(
    "lead",
    3,
    TableShape((Column("id", BIG), Column("lead_status", TEXT), Column("amount", AMOUNT)), ("id",)),
    frozenset({"id"}),
)  # fmt: skip
COLUMNS = (
    WireColumn("id", "int", nullable=False),
    WireColumn("status", "string", nullable=True),
    WireColumn("amount", "int", nullable=True),
    WireColumn("raw", "bytes", nullable=True),
)


def plan(model: Model | None = MODEL, **renames: str) -> TablePlan:
    return TablePlan(
        "crm",
        TableId("public", "lead"),
        "crm.public.lead",
        "lead_history",
        model,
        renames or {"status": "lead_status"},
    )


def test_a_table_without_a_model_keeps_its_own_columns() -> None:
    mapping = RowMapping(plan(None), COLUMNS, ["id"])

    assert [column.name for column in mapping.shape.columns] == ["id", "status", "amount", "raw"]
    assert mapping.shape.key == ("id",)
    row = mapping.row({"id": 1, "status": None, "amount": Missing.UNCHANGED, "raw": b"\x01"})
    assert row.values == {"id": 1, "status": None, "amount": None, "raw": b"\x01"}
    assert (row.extra, row.unchanged) == (None, ("amount",))


def test_columns_are_renamed_widened_and_what_the_model_lacks_is_kept_beside_it() -> None:
    mapping = RowMapping(plan(Model("lead", 3, _wide(), frozenset({"id"}))), COLUMNS, ["id"])

    row = mapping.row({"id": 1, "status": "new", "amount": 5, "raw": b"\x01"})

    assert row.values == {"id": 1, "lead_status": "new", "amount": Decimal(5)}
    assert row.extra is not None
    assert json.loads(row.extra) == {"raw": "01"}


def _wide() -> TableShape:
    return TableShape(
        (Column("id", BIG), Column("lead_status", TEXT), Column("amount", WIDER_AMOUNT)), ("id",)
    )


def test_a_column_outside_the_model_that_was_not_sent_is_unchanged_and_not_null() -> None:
    mapping = RowMapping(plan(Model("lead", 3, _wide())), COLUMNS, ["id"])

    row = mapping.row({"id": 1, "status": "new", "amount": 5, "raw": Missing.UNCHANGED})

    assert (row.extra, row.unchanged) == ("{}", ("raw",))


def test_a_field_that_the_table_lacks_is_null() -> None:
    mapping = RowMapping(plan(Model("lead", 3, _wide())), COLUMNS[:1], ["id"])

    assert mapping.row({"id": 1}).values == {"id": 1}
    assert mapping.shape == _wide()


@pytest.mark.parametrize(
    ("model", "columns", "key", "field"),
    [
        (MODEL, COLUMNS, ["id"], "amount"),
        (MODEL, COLUMNS[1:2], ["id"], "id"),
        (MODEL, COLUMNS[:2], ["status"], "id"),
        (MODEL, COLUMNS[:2], [], "id"),
    ],
    ids=["a narrower type", "a required field is missing", "another key", "no key"],
)
def test_what_would_lose_something_stops_the_table(
    model: Model, columns: tuple[WireColumn, ...], key: list[str], field: str
) -> None:
    with pytest.raises(SchemaConflict) as refusal:
        RowMapping(plan(model), columns, key)

    assert refusal.value.action is Action.PAUSE
    assert refusal.value.facts["topic"] == "crm.public.lead"
    assert refusal.value.facts["field"] == field


def test_a_truncate_does_not_say_what_the_key_is() -> None:
    assert RowMapping(plan(Model("lead", 3, _wide())), COLUMNS, None).shape.key == ("id",)
    assert RowMapping(plan(None), COLUMNS, None).shape.key == ()


@pytest.mark.parametrize("name", ["_steno_op", "_STENO_x"])
def test_a_source_column_may_not_have_a_name_of_historys_own(name: str) -> None:
    with pytest.raises(SchemaConflict):
        RowMapping(plan(None), [WireColumn(name, "int", nullable=True)], [])


def test_a_type_that_no_column_holds_stops_the_table_and_names_the_column() -> None:
    with pytest.raises(SchemaConflict) as refusal:
        RowMapping(plan(None), [WireColumn("odd", ["int", "string"], nullable=True)], [])

    assert refusal.value.facts["column"] == "odd"


def test_of_a_deleted_row_only_the_key_is_taken() -> None:
    mapping = RowMapping(plan(None), COLUMNS, ["id"])

    assert mapping.key_only({"id": 1, "status": "made up"}).values == {"id": 1}


def test_a_related_key_has_the_models_names() -> None:
    renamed = plan(None, id="lead_id")
    assert RowMapping(renamed, COLUMNS, ["id"]).related_key({"id": 1}) == '{"id":1}'
    key_model = Model("lead", 1, TableShape((Column("lead_id", BIG),), ("lead_id",)))
    assert (
        RowMapping(plan(key_model, id="lead_id"), COLUMNS, ["id"]).related_key({"id": 1}) == '{"lead_id":1}'
    )


def test_a_before_image_holds_every_column_that_was_sent() -> None:
    mapping = RowMapping(plan(Model("lead", 3, _wide())), COLUMNS, ["id"])

    text = mapping.before_json({"id": 1, "status": None, "amount": Missing.UNCHANGED, "raw": b"\x02"})

    assert json.loads(text) == {"id": 1, "status": None, "raw": "02"}


@pytest.mark.parametrize(
    ("of", "to", "value", "held"),
    [
        (SMALL, BIG, 5, 5),
        (BIG, ColumnType(Kind.DECIMAL, 21, 2), 5, Decimal(5)),
        (ColumnType(Kind.DECIMAL, 10, 2), ColumnType(Kind.DECIMAL, 12, 4), Decimal("1.25"), Decimal("1.25")),
        (ColumnType(Kind.FLOAT32), ColumnType(Kind.FLOAT64), 1.5, 1.5),
        (BIG, TEXT, 5, "5"),
        (ColumnType(Kind.LIST, element=SMALL), ColumnType(Kind.LIST, element=BIG), [1], [1]),
    ],
)
def test_a_cast_that_loses_nothing_is_made(
    of: ColumnType, to: ColumnType, value: object, held: object
) -> None:
    cast = lossless(of, to)
    assert cast is not None
    assert cast.value(value) == held
    column = cast.column(pa.array([value, None], arrow_type(of)))
    assert column.type == arrow_type(to)
    assert column.to_pylist() == [held, None]


@pytest.mark.parametrize(
    ("of", "to"),
    [
        (BIG, SMALL),
        (BIG, ColumnType(Kind.DECIMAL, 20, 2)),
        (ColumnType(Kind.DECIMAL, 12, 2), ColumnType(Kind.DECIMAL, 12, 4)),
        (ColumnType(Kind.DECIMAL, 12, 4), ColumnType(Kind.DECIMAL, 12, 2)),
        (ColumnType(Kind.FLOAT64), ColumnType(Kind.FLOAT32)),
        (BIG, ColumnType(Kind.FLOAT64)),
        (TEXT, BIG),
        (ColumnType(Kind.TIMESTAMPTZ), ColumnType(Kind.TIMESTAMP)),
    ],
)
def test_a_cast_that_would_lose_something_is_not(of: ColumnType, to: ColumnType) -> None:
    assert lossless(of, to) is None
