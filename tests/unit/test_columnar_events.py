"""What the columnar reader takes, what it doubts, and what it refuses to begin with."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import fastavro
import pyarrow as pa
import pytest

from stenograph.envelope.codec import EventEncoder
from stenograph.envelope.columnar import ColumnarEvents, ColumnarKeys, NotColumnar
from stenograph.envelope.framing import framed
from stenograph.envelope.gap import VALUE_SCHEMA as MESSAGES
from stenograph.envelope.table import POSTGRES_SOURCE, WireColumn, WireTable
from stenograph.errors import RecordUnreadable
from stenograph.events import ChangeEvent, Op, Origin, TableId
from stenograph.schemas import AvroType
from tests.columnar_reference import Comparison

UUID: AvroType = {"type": "string", "connect.name": "io.debezium.data.Uuid"}
NUMBERS: AvroType = {"type": "array", "items": ["null", "long"]}
TABLE = WireTable(
    "crm",
    TableId("public", "lead"),
    (
        WireColumn("id", "long", nullable=False),
        WireColumn("name", "string", nullable=True),
        WireColumn("mark", UUID, nullable=True),
        WireColumn("scores", NUMBERS, nullable=True),
    ),
    ("id",),
)
SCHEMA = TABLE.value_schema(POSTGRES_SOURCE)
ENCODER = EventEncoder(TABLE, 6, 7)
MARK = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


def event(number: int, **row: object) -> ChangeEvent:
    origin = Origin("postgresql", "crm", "app", TABLE.table, 1_700_000_000_000_000 + number)
    after = {"id": number, "name": f"größe {number}", "mark": MARK, "scores": [number, None]} | row
    return ChangeEvent(Op.CREATE, origin, {"id": number}, None, after, 1_700_000_000_000_000_000 + number)


def message(number: int, **row: object) -> bytes:
    return ENCODER.value(event(number, **row))


def packed(messages: list[bytes]) -> pa.LargeBinaryArray:
    return pa.array(messages, pa.large_binary())


def datum(**fields: object) -> bytes:
    """An envelope with these fields, `source_` before those of its source; also such as no encoder of ours writes."""
    source = {
        "version": "3", "connector": "postgresql", "name": "crm", "ts_ms": 5, "snapshot": "false", "db": "app",
        "sequence": None, "ts_us": 5000, "ts_ns": None, "schema": "public", "table": "lead", "txId": None,
        "lsn": None, "xmin": None, "origin": None, "origin_lsn": None,
    }  # fmt: skip
    envelope: dict[str, Any] = {
        "before": None, "after": None, "source": source, "transaction": None, "op": "d", "ts_ms": 7, "ts_us": None,
        "ts_ns": None,
    }  # fmt: skip
    for name, value in fields.items():
        (source if name.startswith("source_") else envelope)[name.removeprefix("source_")] = value
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(SCHEMA)), envelope)
    return framed(7, out.getvalue())


def test_no_messages_are_no_rows() -> None:
    found = ColumnarEvents(SCHEMA).read(packed([]))

    assert len(found) == len(found.after) == len(found.before) == len(found.op) == 0
    assert [column.type for column in found.after.columns][:2] == [pa.int64(), pa.string()]
    assert found.after.unstorable.tolist() == []


def test_a_slice_is_read_as_its_messages_alone() -> None:
    messages = [message(number) for number in range(5)]

    found = ColumnarEvents(SCHEMA).read(packed(messages).slice(2, 2))

    assert found.sound.all()
    assert found.after.columns[0].to_pylist() == [2, 3]


def test_more_messages_than_are_read_together_keep_their_order() -> None:
    count = 20_000
    messages = [message(number) for number in range(50)]

    found = ColumnarEvents(SCHEMA).read(packed((messages * (count // 50 + 1))[:count]))

    assert found.sound.all()
    assert found.after.columns[0].to_pylist() == [number % 50 for number in range(count)]
    assert found.after.columns[3].to_pylist()[-1] == [49, None]


def test_a_message_larger_than_all_others_together_is_read_among_them() -> None:
    large = "x" * (9 << 20)
    messages = [message(1), message(2, name=large), message(3)]

    found = ColumnarEvents(SCHEMA).read(packed(messages))

    assert found.sound.all()
    assert found.after.columns[1].to_pylist() == ["größe 1", large, "größe 3"]


def test_a_message_of_another_schema_is_not_sound() -> None:
    other = framed(8, message(2)[5:])

    found = ColumnarEvents(SCHEMA, 7).read(packed([message(1), other, b"", b"\1" + message(3)[1:], b"\0\0"]))

    assert found.sound.tolist() == [True, False, False, False, False]


def test_a_refused_value_says_in_which_column_it_is() -> None:
    found = ColumnarEvents(SCHEMA).read(packed([message(1), message(2, mark="no uuid"), message(3)]))

    assert found.sound.all()
    assert found.after.unstorable.tolist() == [False, True, False]
    assert [refused is not None for refused in found.after.refused] == [False, False, True, False]
    assert found.after.columns[2].to_pylist() == [MARK, None, MARK]


def test_text_that_is_none_costs_its_record_and_no_neighbour() -> None:
    broken = message(2, name="größe").replace("ö".encode(), b"\xc3\x28")
    in_source = message(3).replace(b"postgresql", b"postgre\xffql")
    messages = [message(1), broken, in_source, message(4)]

    found = ColumnarEvents(SCHEMA).read(packed(messages))

    assert found.sound.tolist() == [True, False, False, True]
    assert found.after.columns[1].to_pylist()[3] == "größe 4"


@pytest.mark.parametrize(
    "fields",
    [
        {"op": "m"},
        {"op": ""},
        {"op": "cc"},
        {"op": "c"},
        {"op": "t"},
        {"source_ts_us": None},
        {"source_ts_us": None, "source_ts_ms": 253402214399999},
        {"source_ts_us": None, "source_ts_ms": 253402214400000},
        {"source_ts_us": None, "source_ts_ms": -62135596800000},
        {"source_ts_us": None, "source_ts_ms": -62135596800001},
        {"source_ts_us": -62135596800000000},
        {"source_ts_us": -62135596800000001},
        {"source_ts_us": 253402214400000000},
        {"source_ts_us": None, "source_ts_ms": 2**63 - 1},
        {"ts_ms": None},
        {"ts_ms": 2**62},
        {"ts_ms": -62135596800000},
        {"ts_ms": -62135596800001},
        {"ts_ns": 0},
        {"ts_ns": -1},
        {"ts_ns": -(2**63)},
        {"ts_ns": 1999},
        {"ts_ns": 1999, "ts_ms": 2**62},
    ],
)
def test_times_and_operations_are_judged_as_the_reference_judges_them(fields: dict[str, object]) -> None:
    doubts = Comparison(SCHEMA).doubts([datum(), datum(**fields), datum()])

    assert doubts.messages == []


def test_an_array_in_two_blocks_is_left_to_the_reference() -> None:
    whole = message(1, scores=[1, 2])
    blocks = whole.replace(b"\2\4\2\2\2\4\0", b"\2\2\2\2\2\2\4\0")
    assert len(blocks) == len(whole) + 1

    doubts = Comparison(SCHEMA).doubts([whole, blocks, whole])

    assert doubts.messages == [1]


def test_one_long_array_alone_is_left_to_the_reference_and_many_are_not() -> None:
    long, short = message(1, scores=list(range(500))), message(2)

    assert Comparison(SCHEMA).doubts([short, long, short]).messages == [1]
    assert Comparison(SCHEMA).doubts([short, *[long] * 40, short]).messages == []


def test_numbers_of_every_scale_are_written_in_digits_alone() -> None:
    variable: AvroType = {
        "type": "record",
        "name": "VariableScaleDecimal",
        "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}],
        "connect.name": "io.debezium.data.VariableScaleDecimal",
    }
    table = WireTable("crm", TABLE.table, (WireColumn("n", variable, nullable=True),), ())
    encoder = EventEncoder(table, None, 7)
    numbers = [0, *(sign * (10**size + near) for size in range(40) for near in (-1, 0) for sign in (1, -1))]
    messages = [
        encoder.value(ChangeEvent(Op.CREATE, event(1).origin, None, None, {"n": wire}, 5))
        for scale in range(-1, 41)
        for number in numbers
        for size in (number.bit_length() // 8 + 1,)
        for wire in ({"scale": scale, "value": number.to_bytes(size, "big", signed=True)},)
    ]

    doubts = Comparison(table.value_schema(POSTGRES_SOURCE)).doubts(messages)

    assert (doubts.messages, doubts.values) == ([], [])


def test_a_null_of_a_column_with_a_default_is_null() -> None:
    table = WireTable("crm", TABLE.table, (WireColumn("n", "int", nullable=True, default=7),), ())
    encoder = EventEncoder(table, None, 7)
    messages = [
        encoder.value(ChangeEvent(Op.CREATE, event(1).origin, None, None, row, 5))
        for row in ({"n": None}, {"n": 1})
    ]

    found = ColumnarEvents(table.value_schema(POSTGRES_SOURCE)).read(packed(messages))

    assert found.after.columns[0].to_pylist() == [None, 1]


@pytest.mark.parametrize(
    "avro",
    [
        {"type": "map", "values": "string"},
        {"type": "array", "items": {"type": "record", "name": "Empty", "fields": []}},
        {"type": "array", "items": ["null", "int", "string"]},
        {"type": "record", "name": "Tree", "fields": [{"name": "child", "type": ["null", "Tree"]}]},
    ],
)
def test_a_type_that_cannot_be_read_together_is_no_columnar_schema(avro: AvroType) -> None:
    table = WireTable("crm", TABLE.table, (WireColumn("odd", avro, nullable=False),), ())

    with pytest.raises(NotColumnar):
        ColumnarEvents(table.value_schema(POSTGRES_SOURCE))


def test_messages_of_the_capturer_are_no_columnar_schema() -> None:
    with pytest.raises(NotColumnar):
        ColumnarEvents(MESSAGES)


def test_a_schema_of_no_events_is_refused_as_the_reference_refuses_it() -> None:
    with pytest.raises(RecordUnreadable):
        ColumnarEvents('{"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]}')
    with pytest.raises(RecordUnreadable):
        ColumnarEvents("no schema")


def test_keys_are_rows_of_their_own_columns() -> None:
    keys = [ENCODER.key(event(number)) or b"" for number in range(3)]
    reader = ColumnarKeys(TABLE.key_schema() or "", 6)

    found = reader.read(packed([keys[0], keys[1] + b"\0", keys[2][:-1], keys[2]]))

    assert reader.columns == ("id",)
    assert found.sound.tolist() == [True, False, False, True]
    assert found.present.all()
    assert [found.columns[0][n].as_py() for n in (0, 3)] == [0, 2]


def test_an_event_says_when_it_was_observed_to_the_microsecond() -> None:
    found = ColumnarEvents(SCHEMA).read(packed([message(1999)]))

    assert datetime.fromtimestamp(found.observed_at[0] / 1e6, UTC).year == 2023
    assert found.observed_at.tolist() == [1_700_000_000_000_001]
    assert found.op[0] is Op.CREATE
    assert found.transaction_id.to_pylist() == [None]
