"""A table whose shape changes under each policy: what history holds, what `steno plan` says, what a replay proves."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from stenograph.envelope.headers import Unheld
from stenograph.errors import SchemaConflict
from stenograph.events import Missing, Op
from stenograph.planning import State
from stenograph.schemas import (
    AvroType,
    Column,
    ColumnType,
    Default,
    Evolution,
    Kind,
    Model,
    TableShape,
    ValuePolicy,
)
from stenograph.timeline import timeline
from stenograph.warehouses.duckdb.console import DuckDBConsole
from tests.documents import ROOT
from tests.evolving import DATE, MICROS, MILLIS, Evolving, decimal, differences

BIG, TEXT = ColumnType(Kind.INT64), ColumnType(Kind.TEXT)
UUID: AvroType = {"type": "string", "connect.name": "io.debezium.data.Uuid"}
ANY_SCALE: AvroType = {
    "type": "record",
    "name": "VariableScaleDecimal",
    "namespace": "io.debezium.data",
    "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}],
    "connect.name": "io.debezium.data.VariableScaleDecimal",
}
ONE_UUID = "0a9f9c7e-0000-4000-8000-000000000001"


@pytest.fixture
def table(tmp_path: Path) -> Evolving:
    return Evolving(tmp_path)


def under(table: Evolving, policy: Evolution) -> Evolving:
    table.plan = replace(table.plan, evolution=policy)
    return table


@pytest.mark.parametrize(
    ("of", "to", "before", "after", "kept"),
    [
        ("int", "long", 7, 2**40, (7, 2**40)),
        ("int", decimal(12, 2), 7, Decimal("1.25"), (Decimal("7.00"), Decimal("1.25"))),
        (
            decimal(6, 2),
            decimal(9, 3),
            Decimal("1.25"),
            Decimal("1.125"),
            (Decimal("1.250"), Decimal("1.125")),
        ),
        ("float", "double", 0.5, 0.1, (0.5, 0.1)),
        ("int", "string", 7, "seven", ("7", "seven")),
        ("boolean", "string", True, "maybe", ("true", "maybe")),
        (UUID, "string", ONE_UUID, "none", (ONE_UUID, "none")),
        (
            {"type": "array", "items": ["null", "int"]},
            {"type": "array", "items": ["null", "long"]},
            [1, None],
            [2**40],
            ([1, None], [2**40]),
        ),
    ],
    ids=["long", "decimal", "wider decimal", "double", "number as text", "boolean as text", "uuid", "list"],
)
def test_a_type_is_widened_and_older_rows_keep_their_values(
    table: Evolving, of: AvroType, to: AvroType, before: object, after: object, kept: tuple[object, object]
) -> None:
    table.send({"x": of}, {"id": 1, "x": before})
    table.store()
    table.send({"x": to}, {"id": 2, "x": after})
    table.send({"x": of}, {"id": 3, "x": before})
    table.store()

    assert table.stored("x") == [(kept[0],), (kept[1],), (kept[0],)]
    assert table.pipeline.ask("SELECT x FROM thing_current ORDER BY id") == table.stored("x")
    assert differences(table.replayed()) == []


def test_a_key_is_widened_with_its_table(table: Evolving) -> None:
    table.send({"k": "int"}, {"id": 1, "k": 5}, key=("k",))
    table.store()
    table.send({"k": "long"}, {"id": 2, "k": 2**40}, key=("k",))
    table.store()

    assert table.pipeline.ask("SELECT id, k FROM thing_current ORDER BY id") == [(1, 5), (2, 2**40)]
    assert differences(table.replayed()) == []


def test_a_column_that_comes_back_with_another_type_pauses_its_table(table: Evolving) -> None:
    table.send({"x": "string"}, {"id": 1, "x": "5"})
    table.store()
    table.send({}, {"id": 2})
    table.store()
    table.send({"x": "int"}, {"id": 3, "x": 5})

    with pytest.raises(SchemaConflict) as refusal:
        table.store()

    assert (refusal.value.facts["column"], refusal.value.facts["topic"]) == ("x", table.plan.topic)
    assert table.stored("id", "x") == [(1, "5"), (2, None)]
    assert table.forecast().state is State.CONFLICT


def test_what_an_ignoring_table_can_never_take_is_no_conflict_of_a_plan(table: Evolving) -> None:
    under(table, Evolution.IGNORE)
    table.send({"x": "string"}, {"id": 1, "x": "5"})
    table.store()
    table.send({"x": "int"}, {"id": 2, "x": 5})
    assert table.forecast().state is State.DONE
    table.send({"x": "int", "y": "int"}, {"id": 3, "x": 5, "y": 7})

    table.apply()
    table.store()

    assert table.stored("id", "x", "y", "_steno_extra") == [
        (1, "5", None, None),
        (2, None, None, '{"x":5}'),
        (3, None, 7, '{"x":5}'),
    ]


def test_a_table_that_ignores_changes_keeps_its_shape_and_loses_nothing(table: Evolving) -> None:
    under(table, Evolution.IGNORE)
    table.send({"x": "string"}, {"id": 1, "x": "5"})
    table.store()
    table.send({"x": "int", "y": decimal(6, 2)}, {"id": 2, "x": 5, "y": Decimal("1.50")})
    table.send({"x": "string"}, {"id": 3, "x": "six"})
    table.store()

    assert table.stored("id", "x", "_steno_extra") == [
        (1, "5", None),
        (2, None, '{"x":5,"y":"1.50"}'),
        (3, "six", None),
    ]
    assert differences(table.replayed()) == []


def test_a_frozen_table_waits_for_apply_and_its_rows_wait_with_it(table: Evolving) -> None:
    under(table, Evolution.FREEZE)
    table.send({"x": "int"}, {"id": 1, "x": 1})
    table.store()
    table.send({"x": "long", "y": "string"}, {"id": 2, "x": 2**40, "y": "new"})

    with pytest.raises(SchemaConflict, match="frozen") as refusal:
        table.store()

    statement = str(refusal.value.facts["statement"])
    assert 'ALTER COLUMN "x" SET DATA TYPE BIGINT' in statement
    assert 'ADD COLUMN IF NOT EXISTS "y" VARCHAR' in statement
    applied = table.apply()
    assert " ".join(applied.planned.table) == statement
    table.store()
    assert table.stored("id", "x", "y") == [(1, 1, None), (2, 2**40, "new")]
    assert table.forecast().state is State.DONE
    assert differences(table.replayed()) == []


def test_a_frozen_table_takes_rows_from_before_its_new_key(table: Evolving) -> None:
    under(table, Evolution.FREEZE)
    table.send({"code": "int"}, {"id": 1, "code": 1})
    table.store()
    table.send({"code": "int"}, {"id": 2, "code": 2})
    table.send({"code": "int"}, {"id": 3, "code": 3}, key=("code",))
    with pytest.raises(SchemaConflict, match="frozen"):
        table.store()

    table.apply()
    table.store()

    assert table.stored("id", "code") == [(1, 1), (2, 2), (3, 3)]
    assert table.pipeline.ask("SELECT key_columns FROM _steno_tables") == [(["code"],)]
    assert table.forecast().state is State.DONE
    assert differences(table.replayed()) == []


def test_what_was_ignored_is_a_column_of_the_views_once_it_is_applied(table: Evolving) -> None:
    under(table, Evolution.IGNORE)
    table.send({"x": "int"}, {"id": 1, "x": 1})
    table.store()
    columns: dict[str, AvroType] = {"x": "long", "on": DATE, "y": {"type": "array", "items": ["null", "int"]}}
    table.send(
        columns,
        {"id": 1, "x": 2**40, "on": 20_000, "y": [1, None]},
        {"id": 2, "x": None, "on": None, "y": None},
    )
    table.store()
    table.apply()
    table.send(columns, {"id": 3, "x": 3, "on": 1, "y": []})
    table.store()

    assert table.stored("id", "x", '"on"')[1:] == [(1, None, None), (2, None, None), (3, 3, date(1970, 1, 2))]
    assert table.pipeline.ask('SELECT id, x, "on", y FROM thing_current ORDER BY id') == [
        (1, 2**40, date(2024, 10, 4), [1, None]),
        (2, None, None, None),
        (3, 3, date(1970, 1, 2), []),
    ]
    assert differences(table.replayed()) == []


def test_a_plan_makes_nothing_and_names_everything(table: Evolving) -> None:
    assert table.forecast().state is State.UNKNOWN
    table.send({"x": "int"}, {"id": 1, "x": 1})

    planned = table.forecast()

    assert (planned.state, len(planned.planned.bookkeeping) > 5) == (State.CREATE, True)
    assert planned.planned.table[0].startswith('CREATE TABLE IF NOT EXISTS "thing_history"')
    assert len(planned.planned.views) == 3
    assert not table.pipeline.history.exists()
    table.apply()
    assert table.forecast().planned == type(planned.planned)()
    table.store()
    assert table.stored("id", "x") == [(1, 1)]


FOREVER = 9223372036825200000
VALUES: dict[str, AvroType] = {"on": DATE, "at": MICROS, "ms": MILLIS, "n": decimal(4, 2)}


def test_a_value_that_its_column_cannot_hold_keeps_its_exact_text(table: Evolving) -> None:
    row = {"id": 1, "on": 2**31 - 1, "at": -9223372036832400000, "ms": FOREVER // 1000, "n": Unheld("NaN")}
    table.send(VALUES, {"id": 0, "on": 0, "at": 0, "ms": 0, "n": Decimal("1.50")})
    table.store()
    table.send(VALUES, row)
    table.store()

    texts = table.stored('"on"', "on__text", "at__text", "ms__text", "n", "n__text")
    assert texts[1] == (None, "infinity", "-infinity", "infinity", None, "NaN")
    assert texts[0][1:4] == (None, None, None)
    ((notes,),) = table.pipeline.ask("SELECT _steno_notes FROM thing_history WHERE id = 1")
    assert json.loads(str(notes)) == {
        "on": "date cannot hold it",
        "at": "timestamp cannot hold it",
        "ms": "timestamp cannot hold it",
        "n": "decimal(4,2) cannot hold it",
    }
    assert table.pipeline.ask("SELECT on__text, n__text FROM thing_current WHERE id = 1") == [
        ("infinity", "NaN")
    ]
    assert differences(table.replayed()) == []


def test_a_frozen_table_keeps_exact_texts_beside_its_columns(table: Evolving) -> None:
    under(table, Evolution.FREEZE)
    table.send({"n": decimal(4, 2)}, {"id": 1, "n": Unheld("NaN")})
    table.store()

    assert table.stored("n", "_steno_extra") == [(None, '{"n__text":"NaN"}')]
    ((notes,),) = table.stored("_steno_notes")
    assert "n__text in _steno_extra" in str(notes)
    assert differences(table.replayed()) == []


def test_a_column_that_asks_for_it_has_its_records_set_aside(table: Evolving) -> None:
    table.plan = replace(table.plan, unheld_by_column={"n": ValuePolicy.QUARANTINE})
    table.send(VALUES, {"id": 1, "on": 0, "at": FOREVER, "ms": 0, "n": None})
    table.send(VALUES, {"id": 2, "on": 0, "at": 0, "ms": 0, "n": Unheld("NaN")})
    table.store()

    assert table.stored("id", "at__text") == [(1, "infinity")]
    assert table.pipeline.ask("SELECT error FROM _steno_quarantine") == [("ValueOutOfRange",)]
    table.plan = replace(table.plan, unheld_by_column={})
    assert differences(table.replayed()) == []


def test_a_key_that_its_column_cannot_hold_is_set_aside(table: Evolving) -> None:
    table.send({"on": DATE}, {"id": 1, "on": 2**31 - 1}, key=("on",))
    table.store()

    assert table.pipeline.ask("SELECT error FROM _steno_quarantine") == [("ValueOutOfRange",)]


def test_exact_texts_and_a_column_of_the_source_never_share_a_name(table: Evolving) -> None:
    columns: dict[str, AvroType] = {"on": DATE, "on__text": "string"}
    table.send(columns, {"id": 1, "on": 2**31 - 1, "on__text": "theirs"})
    table.store()

    assert table.stored('"on"', "on__text", "on__text_") == [(None, "theirs", "infinity")]
    table.send({"on": DATE}, {"id": 2, "on": 2**31 - 1})
    table.store()
    assert table.stored("on__text", "_steno_extra")[1] == (None, '{"on__text":"infinity"}')
    assert differences(table.replayed()) == []


def test_an_exact_text_stands_aside_for_a_dropped_column_of_its_name_in_other_letters(
    table: Evolving,
) -> None:
    table.send({"on": DATE, "ON__TEXT": "string"}, {"id": 1, "on": 1, "ON__TEXT": "theirs"})
    table.store()
    table.send({"on": DATE}, {"id": 2, "on": 2**31 - 1})
    table.store()

    assert table.stored("ON__TEXT", "_steno_extra") == [("theirs", None), (None, '{"on__text":"infinity"}')]
    assert differences(table.replayed()) == []


def test_an_unchanged_column_keeps_the_exact_text_that_it_had(table: Evolving) -> None:
    columns: dict[str, AvroType] = {
        "doc": {"type": "string", "connect.name": "io.debezium.data.Json"},
        "n": "int",
    }
    table.send(columns, {"id": 1, "doc": '{"a":"\\ud800"}', "n": 1})
    table.send(columns, {"id": 1, "doc": Missing.UNCHANGED, "n": 2})
    table.store()

    assert table.pipeline.ask("SELECT doc, doc__text, n FROM thing_current") == [(None, '{"a":"\\ud800"}', 2)]
    texts = table.pipeline.ask("SELECT doc__text FROM thing_versions ORDER BY n")
    assert texts == [('{"a":"\\ud800"}',), ('{"a":"\\ud800"}',)]


@pytest.mark.parametrize(
    ("of", "sent", "shown"),
    [
        ("bytes", [b"hi", None], [b"hi", None]),
        ({"type": "long", "connect.name": "io.debezium.time.MicroTime"}, [1], [time(0, 0, 0, 1)]),
        (
            {"type": "long", "connect.name": "io.debezium.time.MicroDuration"},
            [-5, 259_200_000_005],
            [timedelta(microseconds=-5), timedelta(days=3, microseconds=5)],
        ),
        ({"type": "array", "items": ["null", "bytes"]}, [[b"hi"], []], [[b"hi"], []]),
    ],
    ids=["bytes", "time", "duration", "lists of bytes"],
)
def test_a_list_that_was_ignored_is_read_by_the_views_as_it_was_sent(
    table: Evolving, of: AvroType, sent: list[object], shown: list[object]
) -> None:
    under(table, Evolution.IGNORE)
    table.send({"x": "int"}, {"id": 1, "x": 1})
    table.store()
    table.send({"x": "int", "y": {"type": "array", "items": ["null", of]}}, {"id": 2, "x": 2, "y": sent})
    table.store()
    table.apply()

    assert table.pipeline.ask("SELECT y FROM thing_current ORDER BY id") == [(None,), (shown,)]


def test_a_column_that_was_not_sent_is_filled_under_the_name_that_its_model_gives_it_later(
    table: Evolving,
) -> None:
    model = Model("thing", 1, TableShape((Column("id", BIG),), ("id",)))
    wider = Model("thing", 2, TableShape((Column("id", BIG), Column("document", TEXT)), ("id",)))
    table.plan = replace(table.plan, model=model)
    table.send({"doc": "string"}, {"id": 1, "doc": "long"})
    table.send({"doc": "string"}, {"id": 1, "doc": Missing.UNCHANGED}, op=Op.UPDATE)
    table.store()
    table.plan = replace(table.plan, model=wider, earlier=(model,), renames={"doc": "document"})
    table.send({"doc": "string"}, {"id": 1, "doc": Missing.UNCHANGED}, op=Op.UPDATE)
    table.store()

    assert table.stored("_steno_unchanged") == [(None,), (["doc"],), (["document"],)]
    assert table.pipeline.ask("SELECT document FROM thing_current") == [("long",)]
    assert table.pipeline.ask("SELECT document FROM thing_versions ORDER BY valid_from") == [("long",)] * 3
    assert differences(table.replayed()) == []


def test_a_number_that_was_cast_to_a_scale_is_not_widened_to_text_in_a_list_either(table: Evolving) -> None:
    def a_list(of: AvroType) -> AvroType:
        return {"type": "array", "items": ["null", of]}

    table.send({"n": a_list("int")}, {"id": 1, "n": [5]})
    table.send({"n": a_list(decimal(12, 2))}, {"id": 2, "n": [Decimal("5.25")]})
    table.store()
    table.send({"n": a_list(ANY_SCALE)}, {"id": 3, "n": [{"scale": 1, "value": b"\x05"}]})

    with pytest.raises(SchemaConflict):
        table.store()


@pytest.mark.parametrize(
    ("of", "to", "before", "after"),
    [("int", "double", 5, 5.5), (decimal(5, 2), ANY_SCALE, Decimal("1.00"), {"scale": 1, "value": b"\x05"})],
    ids=["double", "number as text"],
)
def test_a_key_that_was_widened_is_proved_where_the_log_is_gone(
    table: Evolving, of: AvroType, to: AvroType, before: object, after: object
) -> None:
    table.send({"k": of}, {"id": 1, "k": before}, key=("id", "k"))
    table.store()
    table.send({"k": to}, {"id": 2, "k": after}, key=("id", "k"))
    table.store()
    lose_log(table)

    report = table.replayed()
    assert differences(report) == []
    assert report.counts["rows_beyond_the_log"] == 2
    with closing(duckdb.connect(str(table.pipeline.history))) as history:
        history.execute("UPDATE thing_history SET id = 7 WHERE id = 1")
    assert len(differences(table.replayed())) == 1


def test_what_a_column_asks_for_later_is_no_difference_in_what_was_stored_before(table: Evolving) -> None:
    table.send({"on": DATE}, {"id": 1, "on": 2**31 - 1}, {"id": 2, "on": 5})
    table.store()
    table.plan = replace(table.plan, unheld_by_column={"on": ValuePolicy.QUARANTINE})

    assert differences(table.replayed()) == []


def test_a_history_table_that_somebody_has_dropped_is_missed(table: Evolving) -> None:
    table.send({"x": "int"}, {"id": 1, "x": 1})
    table.store()
    with closing(duckdb.connect(str(table.pipeline.history))) as history:
        history.execute("DROP TABLE thing_history CASCADE")

    (found,) = differences(table.replayed())
    assert "stored 1 rows, and history has no such table" in found


def lose_log(table: Evolving) -> None:
    for path in table.folder.glob("log.db*"):
        path.unlink()
    table.pipeline.writer().close()


FIRST = Model("thing", 1, TableShape((Column("id", BIG), Column("score", ColumnType(Kind.INT32))), ("id",)))
SECOND = Model(
    "thing",
    2,
    TableShape(
        (
            Column("id", BIG),
            Column("score", BIG),
            Column("label", TEXT),
            Column("rate", ColumnType(Kind.DECIMAL, 6, 2)),
            Column("on", ColumnType(Kind.DATE)),
        ),
        ("id",),
    ),
    defaults={
        "rate": Default(decimal(6, 2), Decimal("2.50")),
        "on": Default({"type": "int", "logicalType": "date"}, 1),
    },
)


def test_the_views_show_every_version_of_a_model_in_its_newest_shape(table: Evolving) -> None:
    columns: dict[str, AvroType] = {"score": "int", "tag": "string"}
    table.plan = replace(table.plan, model=FIRST, renames={"tag": "label"})
    table.send(columns, {"id": 1, "score": 1, "tag": "old"}, {"id": 2, "score": 2, "tag": None})
    table.store()
    table.plan = replace(table.plan, model=SECOND, earlier=(FIRST,))
    table.send(columns, {"id": 3, "score": 3, "tag": "new"})
    table.store()

    assert table.stored("score", "label", "rate", "_steno_model_version", "_steno_extra") == [
        (1, None, None, 1, '{"tag":"old"}'),
        (2, None, None, 1, '{"tag":null}'),
        (3, "new", Decimal("2.50"), 2, None),
    ]
    day, rate = date(1970, 1, 2), Decimal("2.50")
    assert table.pipeline.ask('SELECT id, score, label, rate, "on" FROM thing_current ORDER BY id') == [
        (1, 1, "old", rate, day),
        (2, 2, None, rate, day),
        (3, 3, "new", rate, day),
    ]
    assert differences(table.replayed()) == []


def test_a_default_fills_a_field_without_a_column_and_no_null_that_was_sent(table: Evolving) -> None:
    table.plan = replace(table.plan, model=SECOND)
    table.send({"score": "int"}, {"id": 1, "score": 1})
    table.send({"score": "int", "rate": decimal(6, 2)}, {"id": 2, "score": 1, "rate": None})
    table.store()

    assert table.stored("rate", '"on"') == [(Decimal("2.50"), date(1970, 1, 2)), (None, date(1970, 1, 2))]
    assert differences(table.replayed()) == []


def test_a_column_that_its_model_cannot_hold_is_refused_or_kept_beside_it(table: Evolving) -> None:
    table.plan = replace(table.plan, model=FIRST)
    table.send({"score": "string"}, {"id": 1, "score": "high"})

    with pytest.raises(SchemaConflict) as refusal:
        table.store()

    assert refusal.value.facts["field"] == "score"
    assert table.forecast().state is State.CONFLICT
    under(table, Evolution.IGNORE)
    table.store()
    assert table.stored("score", "_steno_extra") == [(None, '{"score":"high"}')]


def test_a_record_s_life_tells_exact_texts_and_what_was_beside_its_columns(table: Evolving) -> None:
    under(table, Evolution.IGNORE)
    table.send({"on": DATE}, {"id": 1, "on": 0})
    table.store()
    columns: dict[str, AvroType] = {"on": DATE, "at": MICROS}
    table.send(columns, {"id": 1, "on": 2**31 - 1, "at": 0})
    table.store()
    table.apply()
    table.plan = replace(table.plan, evolution=Evolution.EVOLVE)
    table.send(columns, {"id": 1, "on": -(2**31), "at": 0})
    table.store()

    life = timeline(DuckDBConsole(table.pipeline.history), table.plan, ["1"])

    assert [[(c.column, c.old, c.new) for c in entry.changes] for entry in life.entries] == [
        [("id", None, "1"), ("on", None, "1970-01-01")],
        [("on", "1970-01-01", "infinity"), ("at", None, "1970-01-01 00:00:00")],
        [("on", "infinity", "-infinity")],
    ]


def test_the_json_of_a_plan_has_the_fields_that_its_page_explains(table: Evolving) -> None:
    table.send({"x": "int"}, {"id": 1, "x": 1})
    page = (ROOT / "docs" / "operators" / "commands.md").read_text(encoding="utf-8")
    (explained,) = (
        line
        for line in page.splitlines()
        if line.startswith("| `tables` | each with `table`, `history`, `model`")
    )
    assert [name for name in table.forecast().as_json() if f"`{name}`" not in explained] == []
    assert [state for state in State if f"`{state.value}`" not in explained] == []
