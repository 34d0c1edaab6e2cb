"""The reference codec gives back what it was given, and no damage to a message is more than an unreadable record."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from stenograph.envelope.codec import EventEncoder
from stenograph.envelope.framing import schema_id_of
from stenograph.envelope.mapping import RowMapping
from stenograph.envelope.reading import EventReader, KeyReader, Writer
from stenograph.envelope.table import POSTGRES_SOURCE, WireColumn, WireTable
from stenograph.errors import RecordUnreadable, ValueOutOfRange
from stenograph.events import ChangeEvent, KeyChange, Missing, Op, Origin, TableId, Transaction
from stenograph.history import HistoryBatch
from stenograph.offsets import Mark
from stenograph.schemas import AvroType, TablePlan, TableShape, nullable_of
from stenograph.sink import Flush, Readers
from tests.golden_records import GoldenRegistry, logged, records, schemas

TABLES = (
    "lead",
    "scalar_types",
    "time_types",
    "nested_types",
    "composite_key",
    "full_identity",
    "default_identity",
)
VALUE_ID, KEY_ID = 7, 8
FLOATS = st.floats(allow_nan=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def reader_of(table: str) -> EventReader:
    """A reader of the table's golden envelope."""
    record = next(r for r in records() if r["topic"] == f"golden.public.{table}" and r["value"])
    return EventReader(schemas()[schema_id_of(bytes.fromhex(record["value"]))])


WIRE = {
    table: WireTable("golden", TableId("public", table), reader_of(table).columns, ("id",))
    for table in TABLES
    if table != "composite_key"
} | {
    "composite_key": WireTable(
        "golden", TableId("public", "composite_key"), reader_of("composite_key").columns, ("region", "seq")
    )
}


def codec_of(table: WireTable) -> tuple[EventEncoder, EventReader, KeyReader]:
    """What writes and reads the table's events and keys."""
    reader = EventReader(table.value_schema(POSTGRES_SOURCE))
    return EventEncoder(table, KEY_ID, VALUE_ID), reader, KeyReader(table.key_schema() or "")


CODECS = {name: codec_of(table) for name, table in WIRE.items()}


def values_of(avro: AvroType) -> SearchStrategy[Any]:
    """Wire values of an Avro type, null where the type allows it."""
    if not isinstance(avro, str | Mapping):
        of, nullable = nullable_of(avro)
        return st.none() | values_of(of) if nullable else values_of(of)
    kind = avro if isinstance(avro, str) else avro["type"]
    if isinstance(avro, Mapping) and avro.get("logicalType") == "decimal":
        scale, precision = cast(int, avro.get("scale", 0)), cast(int, avro["precision"])
        digits = st.integers(-(10**precision) + 1, 10**precision - 1)
        return digits.map(
            lambda unscaled: Decimal((int(unscaled < 0), Decimal(abs(unscaled)).as_tuple().digits, -scale))
        )
    match kind:
        case "boolean":
            return st.booleans()
        case "int":
            return st.integers(-(2**31), 2**31 - 1)
        case "long":
            return st.integers(-(2**63), 2**63 - 1)
        case "float":
            return st.floats(width=32, allow_nan=False)
        case "double":
            return FLOATS
        case "string":
            return TEXTS
        case "bytes":
            return st.binary(max_size=20)
        case "array":
            return st.lists(values_of(cast(AvroType, cast(Mapping[str, object], avro)["items"])), max_size=4)
        case "record":
            fields = cast(list[dict[str, Any]], cast(Mapping[str, object], avro)["fields"])
            return st.fixed_dictionaries({field["name"]: values_of(field["type"]) for field in fields})
        case _:
            raise AssertionError(kind)


def rows_of(table: WireTable) -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({column.name: values_of(_whole(column)) for column in table.columns})


def _whole(column: WireColumn) -> AvroType:
    return ["null", column.avro] if column.nullable else column.avro


ORIGINS = st.builds(
    Origin,
    connector=st.just("postgresql"),
    source=TEXTS,
    database=TEXTS,
    table=st.just(TableId("public", "lead")),
    committed_at=st.integers(-(10**15), 10**17),
    snapshot=st.sampled_from(["false", "first", "true", "last"]),
    sequence=st.none() | TEXTS,
    transaction_id=st.none() | st.integers(0, 2**32),
    lsn=st.none() | st.integers(0, 2**63 - 1),
)
TRANSACTIONS = st.none() | st.builds(Transaction, TEXTS, st.integers(1, 2**40), st.integers(1, 2**40))


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=40)
@given(data=st.data())
def test_what_is_encoded_is_read_back(name: str, data: st.DataObject) -> None:
    table = WIRE[name]
    row, before = data.draw(rows_of(table)), data.draw(st.none() | rows_of(table))
    op = data.draw(st.sampled_from(Op))
    key = None if op is Op.TRUNCATE else {column: row[column] for column in table.key}
    change = data.draw(st.none() | st.sampled_from(KeyChange))
    event = ChangeEvent(
        op=op,
        origin=data.draw(ORIGINS),
        key=key,
        before=before,
        after=None if op in (Op.DELETE, Op.TRUNCATE) else row,
        observed_at=data.draw(st.integers(1, 2**62)),
        before_is_full=before is not None and data.draw(st.booleans()),
        transaction=data.draw(TRANSACTIONS),
        key_change=change,
        related_key=None if change is None else {"id": 5},
    )
    encoder, reader, key_reader = CODECS[name]

    message, headers = encoder.value(event), encoder.headers(event)
    key_bytes = encoder.key(event)
    read_key = None if key_bytes is None else key_reader.read(key_bytes)

    assert schema_id_of(message) == VALUE_ID
    assert reader.read(message, read_key, headers, Writer.OURS) == event
    assert reader.columns == table.columns


@given(data=st.data(), placeholder=st.booleans())
def test_a_column_that_was_not_sent_is_not_a_column_that_holds_the_placeholder(
    data: st.DataObject, placeholder: bool
) -> None:
    table = WIRE["default_identity"]
    row = data.draw(rows_of(table)) | {
        "big": "__debezium_unavailable_value" if placeholder else Missing.UNCHANGED
    }
    event = ChangeEvent(Op.UPDATE, data.draw(ORIGINS), {"id": row["id"]}, None, row, 1000)
    encoder, reader, _ = CODECS["default_identity"]

    back = reader.read(encoder.value(event), event.key, encoder.headers(event), Writer.OURS)
    as_debezium = reader.read(encoder.value(event), event.key, (), Writer.DEBEZIUM)

    assert back == event
    assert as_debezium.after == {**row, "big": Missing.UNCHANGED}


def test_two_columns_of_one_record_type_are_both_written_and_read() -> None:
    variable = next(c.avro for c in WIRE["scalar_types"].columns if c.name == "c_num")
    numbers: AvroType = {"type": "array", "items": ["null", variable]}
    columns = (
        WireColumn("id", "int", nullable=False),
        WireColumn("a", variable, nullable=True),
        WireColumn("b", variable, nullable=False),
        WireColumn("c", numbers, nullable=True),
    )
    table = WireTable("golden", TableId("public", "two"), columns, ("id",))
    number = {"scale": 2, "value": b"\x04\xd2"}
    row = {"id": 1, "a": None, "b": number, "c": [number, None]}
    event = ChangeEvent(Op.CREATE, origin(), {"id": 1}, None, row, 1000)
    encoder, reader, _ = codec_of(table)

    assert reader.read(encoder.value(event), event.key, (), Writer.OURS) == event
    assert reader.columns == columns


def origin() -> Origin:
    return Origin("postgresql", "golden", "crm", TableId("public", "two"), 1_000_000)


GOLDEN = [
    record
    for record in records()
    if record["value"] and record["topic"].removeprefix("golden.public.") in TABLES
]


READERS = {number: EventReader(text) for number, text in schemas().items() if '"Envelope"' in text}


@st.composite
def damaged(draw: st.DrawFn, message: bytes) -> bytes:
    """The message cut short, made longer, or with some of its bits flipped."""
    match draw(st.integers(0, 2)):
        case 0:
            return message[: draw(st.integers(0, len(message) - 1))]
        case 1:
            return message + draw(st.binary(min_size=1, max_size=8))
        case _:
            changed = bytearray(message)
            for _ in range(draw(st.integers(1, 4))):
                changed[draw(st.integers(0, min(len(message) - 1, 400)))] ^= 1 << draw(st.integers(0, 7))
            return bytes(changed)


@given(data=st.data())
def test_a_damaged_message_is_read_or_is_unreadable_and_nothing_else(data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(GOLDEN))
    whole = bytes.fromhex(record["value"])
    message = data.draw(damaged(whole))

    with suppress(RecordUnreadable):
        schema_id = schema_id_of(message)
        READERS.get(schema_id, READERS[2]).read(message, {}, (), Writer.DEBEZIUM)


@given(data=st.data())
def test_a_damaged_record_costs_a_flush_that_record_at_most(data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(GOLDEN) - 1))
    record = GOLDEN[index]
    message = data.draw(damaged(bytes.fromhex(record["value"])))
    others = [each for each in GOLDEN if each["topic"] == record["topic"]]
    values = [message if each is record else bytes.fromhex(each["value"]) for each in others]
    name = record["topic"].rpartition(".")[2]
    named = int.from_bytes(message[1:5], "big")
    if named in schemas() and named != schema_id_of(bytes.fromhex(record["value"])):
        # Another table's schema is a conflict of the whole table, and rightly so.
        return

    batch = flushed(name, others, values)

    (span,) = batch.spans
    assert span.read == span.stored + span.duplicate + span.filtered + span.quarantined == len(others)
    assert batch.rows.num_rows == span.stored
    assert len(batch.quarantined) == span.quarantined


def flushed(name: str, found: list[Mapping[str, Any]], values: list[bytes]) -> HistoryBatch:
    plan = TablePlan("golden", TableId("public", name), f"golden.public.{name}", f"{name}_history")
    batch = logged(found, values=values)
    # Each record stands alone here: a damaged order must not make the others duplicates.
    batch = replace(batch, lanes=[f"lane {n}" for n in range(len(found))], orders=[b"\0" * 24] * len(found))
    flush = Flush(plan, Readers(GoldenRegistry()), {batch.partition: Mark(0, 1)})
    flush.take(batch)
    return flush.finish(flush.needs[-1] if flush.needs else reader_shape(name))


def reader_shape(name: str) -> TableShape:
    plan = TablePlan("golden", TableId("public", name), f"golden.public.{name}", f"{name}_history")
    return RowMapping(plan, WIRE[name].columns, WIRE[name].key).shape


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=40)
@given(data=st.data())
def test_every_row_is_stored_or_its_value_is_out_of_range(name: str, data: st.DataObject) -> None:
    plan = TablePlan("golden", TableId("public", name), f"golden.public.{name}", f"{name}_history")
    mapping = RowMapping(plan, WIRE[name].columns, WIRE[name].key)

    with suppress(ValueOutOfRange):
        mapped = mapping.row(data.draw(rows_of(WIRE[name])))
        assert set(mapped.values) == {column.name for column in WIRE[name].columns}
