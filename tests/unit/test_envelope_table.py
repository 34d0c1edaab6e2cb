"""A table's wire schemas are those that Debezium registered."""

from __future__ import annotations

import json
from typing import Any

import fastavro
import pytest

from stenograph.envelope.reading import EventReader, KeyReader
from stenograph.envelope.table import POSTGRES_SOURCE, WireColumn, WireTable, avro_name
from stenograph.events import TableId
from tests.golden_records import schemas


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("id", "id"),
        ("Größe", "Gr__e"),
        ("a-b c", "a_b_c"),
        ("1st", "_1st"),
        ("_x9", "_x9"),
        ("", "_"),
        ("$", "_"),
    ],
)
def test_a_name_is_spelled_as_avro_can(name: str, spelled: str) -> None:
    assert avro_name(name) == spelled


ENVELOPES = {number: json.loads(text) for number, text in schemas().items() if '"Envelope"' in text}


@pytest.mark.parametrize("number", sorted(ENVELOPES))
def test_the_envelope_is_the_one_that_debezium_registered(number: int) -> None:
    golden = ENVELOPES[number]
    name = golden["namespace"].rpartition(".")[2]
    fields = golden["fields"][0]["type"][1]["fields"]
    defaults = {field["name"]: field.get("default") for field in fields}
    columns = tuple(
        WireColumn(c.name, _without_default(c.avro), c.nullable, defaults[c.name])
        for c in EventReader(json.dumps(golden)).columns
    )
    table = WireTable("golden", TableId("public", name), columns, ())

    assert json.loads(table.value_schema(POSTGRES_SOURCE)) == golden


def _without_default(avro: Any) -> Any:
    """The bare type: a default stands in its column."""
    if not isinstance(avro, dict) or "connect.default" not in avro:
        return avro
    rest = {name: value for name, value in avro.items() if name != "connect.default"}
    return rest["type"] if len(rest) == 1 else rest


def test_the_key_is_the_one_that_debezium_registered() -> None:
    columns = (
        WireColumn("region", "string", nullable=False),
        WireColumn("seq", "int", nullable=False),
        WireColumn("body", "string", nullable=True),
    )
    table = WireTable("golden", TableId("public", "composite_key"), columns, ("region", "seq"))

    schema = table.key_schema()

    assert schema is not None
    assert json.loads(schema) == json.loads(schemas()[1])
    assert KeyReader(schema).columns == ("region", "seq")


def test_a_table_without_a_primary_key_has_no_key_schema() -> None:
    assert WireTable("crm", TableId("public", "log"), (), ()).key_schema() is None


def test_columns_that_avro_spells_alike_keep_their_own_names() -> None:
    names = ("a b", "a-b", "a_b")
    table = WireTable(
        "crm", TableId("public", "t"), tuple(WireColumn(n, "int", nullable=True) for n in names), ()
    )

    assert len(set(table.spelling().values())) == 3
    assert [c.name for c in EventReader(table.value_schema(POSTGRES_SOURCE)).columns] == list(names)


def test_a_topic_has_only_characters_that_kafka_takes() -> None:
    table = WireTable(
        "crm", TableId("My Schema", "Größe/1"), (WireColumn("id", "int", nullable=False),), ("id",)
    )

    assert table.topic == "crm.My_Schema.Gr__e_1"
    fastavro.parse_schema(json.loads(table.value_schema(POSTGRES_SOURCE)))
