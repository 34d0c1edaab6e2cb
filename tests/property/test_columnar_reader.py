"""The columnar reader says what the reference says, or that it is not sure, whatever the bytes are."""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, cast

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from stenograph.envelope.codec import EventEncoder
from stenograph.envelope.columnar.texts import is_json
from stenograph.envelope.framing import schema_id_of
from stenograph.envelope.table import POSTGRES_SOURCE, WireColumn, WireTable
from stenograph.envelope.values import converter
from stenograph.events import ChangeEvent, Op, Origin, TableId, Transaction
from stenograph.schemas import AvroType, nullable_of
from tests.columnar_reference import Comparison
from tests.golden_records import records, schemas


def semantic(name: str, base: str) -> AvroType:
    return {"type": base, "connect.version": 1, "connect.name": name}


def decimal(precision: int, scale: int) -> AvroType:
    return {"type": "bytes", "scale": scale, "precision": precision, "logicalType": "decimal"}


def list_of(items: AvroType) -> AvroType:
    return {"type": "array", "items": items}


VARIABLE: AvroType = {
    "type": "record",
    "name": "VariableScaleDecimal",
    "namespace": "io.debezium.data",
    "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}],
    "connect.name": "io.debezium.data.VariableScaleDecimal",
}
POINT: AvroType = {
    "type": "record",
    "name": "Point",
    "namespace": "io.debezium.data.geometry",
    "fields": [
        {"name": "x", "type": "double"},
        {"name": "y", "type": "double"},
        {"name": "wkb", "type": ["null", "bytes"], "default": None},
        {"name": "srid", "type": ["null", "int"], "default": None},
    ],
    "connect.name": "io.debezium.data.geometry.Point",
}
ZONED, UUID, JSON = "io.debezium.time.ZonedTimestamp", "io.debezium.data.Uuid", "io.debezium.data.Json"
SIMPLE: tuple[AvroType, ...] = (
    "boolean",
    "int",
    {"type": "int", "connect.type": "int16"},
    "long",
    "float",
    "double",
    "string",
    "bytes",
    decimal(9, 2),
    decimal(18, 18),
    decimal(19, 0),
    decimal(38, 9),
    decimal(64, 2),
    VARIABLE,
    POINT,
    semantic(UUID, "string"),
    semantic(JSON, "string"),
    semantic(ZONED, "string"),
    semantic("io.debezium.time.ZonedTime", "string"),
    semantic("io.debezium.data.Enum", "string"),
    semantic("io.debezium.data.Bits", "bytes"),
    semantic("io.debezium.time.Date", "int"),
    semantic("io.debezium.time.Time", "int"),
    semantic("io.debezium.time.MicroTime", "long"),
    semantic("io.debezium.time.Timestamp", "long"),
    semantic("io.debezium.time.MicroTimestamp", "long"),
    semantic("io.debezium.time.MicroDuration", "long"),
    semantic("org.apache.kafka.connect.data.Date", "int"),
    semantic("org.apache.kafka.connect.data.Time", "int"),
    semantic("org.apache.kafka.connect.data.Timestamp", "long"),
)
TYPES: tuple[AvroType, ...] = (
    *SIMPLE,
    *(list_of(["null", of]) for of in SIMPLE),
    list_of("long"),
    list_of(["null", list_of(["null", "int"])]),
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INTS = st.one_of(
    st.sampled_from([0, 1, -1, 63, 64, -64, -65, 2**15, -(2**15), 2**31 - 1, -(2**31)]),
    st.integers(-(2**31), 2**31 - 1),
)
LONGS = st.one_of(
    INTS,
    st.integers(0, 86_400_000_001),
    st.sampled_from(
        [
            2**63 - 1,
            -(2**63),
            9223372036825200000,
            -9223372036832400000,
            9223372036825200,
            -9223372036832400,
            2**62,
            2**55,
            2**56 - 1,
        ]
    ),
    st.integers(-(2**63), 2**63 - 1),
)
SCALES = st.one_of(st.integers(-3, 42), INTS)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
JSONS = st.one_of(
    DOCUMENTS.map(json.dumps),
    DOCUMENTS.map(lambda value: json.dumps(value, ensure_ascii=False, indent=1)),
    st.sampled_from(
        ["", "NaN", "1e999", "[1", "1,2", '"\\ud800"', '"\\ud83d\\ude00"', "[" * 300 + "]" * 300, "9" * 5000, "9" * 900,
         "01", "nul", "\ufeff1", '{"a":1,"a":2}', '"\x01"', " [] ", "-", "]", '"', "-Infinity", "{}{}"]
    ),
    TEXTS,
)  # fmt: skip
MOMENTS = st.one_of(
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.datetimes().map(lambda at: at.isoformat(timespec="seconds") + "Z"),
    st.datetimes().map(lambda at: at.isoformat(timespec="milliseconds") + "Z"),
    st.datetimes().map(lambda at: at.isoformat() + "+02:00"),
    st.sampled_from(
        ["+294247-01-10T04:00:25.200000Z", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-02-29T23:59:59.9Z", "",
         "0000-01-01T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00.Z",
         "1900-02-29T00:00:00Z", "2024-01-01T00:00:00.1234567Z", "2024-01-01 00:00:00Z", "2024-01-01T00:00:60Z",
         "2024-01-01T00:00:00", "2000-02-29T00:00:00.12Z", "+12024-01-01T00:00:00Z", "-0044-03-15T12:00:00.5Z",
         "2024-01-01T00:00:00z", "2024-01-01T00:00:0éZ"]
    ),
    TEXTS,
)  # fmt: skip
UUIDS = st.one_of(
    st.uuids().map(str), st.uuids().map(lambda u: str(u).upper()), st.uuids().map(lambda u: u.hex), TEXTS
)


def values_of(avro: AvroType) -> SearchStrategy[Any]:
    """Wire values of a type, those that history refuses among them."""
    if not isinstance(avro, str | Mapping):
        of, nullable = nullable_of(avro)
        return st.none() | values_of(of) if nullable else values_of(of)
    facts = avro if isinstance(avro, Mapping) else {"type": avro}
    if facts.get("logicalType") == "decimal":
        scale, precision = cast(int, facts["scale"]), cast(int, facts["precision"])
        most = 10**precision - 1
        return (
            st.integers(-most, most)
            | st.sampled_from([0, most, -most, 127, 128, -128, -129]).filter(lambda n: abs(n) <= most)
        ).map(lambda n: Decimal((int(n < 0), Decimal(abs(n)).as_tuple().digits, -scale)))
    match facts.get("connect.name"), facts["type"]:
        case _, "boolean":
            return st.booleans()
        case _, "int":
            return INTS
        case _, "long":
            return LONGS
        case _, "float":
            return st.floats(width=32)
        case _, "double":
            return st.floats()
        case name, "string" if name == JSON:
            return JSONS
        case name, "string" if name == ZONED:
            return MOMENTS
        case name, "string" if name == UUID:
            return UUIDS
        case _, "string":
            return TEXTS
        case _, "bytes":
            return st.binary(max_size=20)
        case _, "array":
            return st.lists(values_of(cast(AvroType, facts["items"])), max_size=4)
        case _:
            fields = cast(list[dict[str, Any]], facts["fields"])
            parts = {field["name"]: values_of(field["type"]) for field in fields}
            return st.fixed_dictionaries(parts | ({"scale": SCALES} if "scale" in parts else {}))


DEFAULTS = {"int": 7, "string": "new", "boolean": False, "long": -1}


@st.composite
def tables(draw: st.DrawFn) -> WireTable:
    """A table of a few columns of any type, with null or without, with a default or without."""
    columns = []
    for number, avro in enumerate(draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=6))):
        default = DEFAULTS.get(avro) if isinstance(avro, str) and draw(st.booleans()) else None
        name = draw(st.sampled_from([f"c{number}", f"größe {number}"]))
        columns.append(WireColumn(name, avro, draw(st.booleans()), default))
    return WireTable("crm", TableId("public", "things"), tuple(columns), ())


ORIGINS = st.builds(
    Origin,
    connector=st.just("postgresql"),
    source=st.sampled_from(["crm", "größe"]),
    database=TEXTS,
    table=st.just(TableId("public", "things")),
    committed_at=st.one_of(
        st.integers(0, 2 * 10**15),
        st.integers(-9 * 10**15, -8 * 10**15),
        st.integers(253402214400000000 - 9, 253402214400000000 + 9),
    ),
    snapshot=st.sampled_from(["false", "first", "true", "last"]),
    sequence=st.none() | TEXTS,
    transaction_id=st.none() | st.integers(0, 2**32),
    lsn=st.none() | st.integers(0, 2**63 - 1),
)


def events_of(table: WireTable) -> SearchStrategy[ChangeEvent]:
    rows = st.fixed_dictionaries(
        {c.name: values_of(["null", c.avro] if c.nullable else c.avro) for c in table.columns}
    )
    return st.builds(
        ChangeEvent,
        op=st.sampled_from(Op),
        origin=ORIGINS,
        key=st.none(),
        before=st.none() | rows,
        after=st.none() | rows,
        observed_at=st.one_of(st.integers(0, 2**62), st.sampled_from([0, 999, 1000])),
        transaction=st.none() | st.builds(Transaction, TEXTS, st.integers(1, 2**40), st.integers(1, 9)),
    )


@settings(max_examples=150)
@given(data=st.data(), table=tables())
def test_every_message_of_every_type_is_read_as_the_reference_reads_it(
    data: st.DataObject, table: WireTable
) -> None:
    events = data.draw(st.lists(events_of(table), max_size=8))
    encoder, comparison = EventEncoder(table, None, 7), Comparison(table.value_schema(POSTGRES_SOURCE))

    doubts = comparison.doubts([encoder.value(event) for event in events])

    assert doubts.messages == []
    assert doubts.values == []


@st.composite
def damaged(draw: st.DrawFn, message: bytes) -> bytes:
    """The message cut short, longer at its end or in its middle, or with some of its bits flipped."""
    place = draw(st.integers(0, len(message) - 1))
    match draw(st.integers(0, 3)):
        case 0:
            return message[:place]
        case 1:
            return message + draw(st.binary(min_size=1, max_size=8))
        case 2:
            return message[:place] + draw(st.binary(max_size=12)) + message[place + draw(st.integers(0, 9)) :]
        case _:
            changed = bytearray(message)
            for _ in range(draw(st.integers(1, 4))):
                changed[draw(st.integers(0, len(message) - 1))] ^= 1 << draw(st.integers(0, 7))
            return bytes(changed)


@settings(max_examples=300)
@given(data=st.data(), table=tables())
def test_damaged_messages_are_read_as_the_reference_reads_them_or_not(
    data: st.DataObject, table: WireTable
) -> None:
    encoder, comparison = EventEncoder(table, None, 7), Comparison(table.value_schema(POSTGRES_SOURCE))
    whole = [encoder.value(event) for event in data.draw(st.lists(events_of(table), min_size=1, max_size=4))]
    messages = [data.draw(st.just(m) | damaged(m)) for m in whole]

    doubts = comparison.doubts(messages)

    # What is not damaged is not doubted for its neighbours' sake.
    assert not {n for n in doubts.messages if messages[n] == whole[n]}
    assert not {n for n, *_ in doubts.values if messages[n] == whole[n]}


@cache
def golden() -> Mapping[int, list[bytes]]:
    """The golden change events by the id of their schema."""
    found: dict[int, list[bytes]] = defaultdict(list)
    for record in records():
        value = bytes.fromhex(record["value"] or "")
        if value and '"Envelope"' in schemas()[schema_id_of(value)]:
            found[schema_id_of(value)].append(value)
    return found


@pytest.mark.parametrize("schema_id", golden())
def test_golden_records_are_read_as_the_reference_reads_them(schema_id: int) -> None:
    comparison = Comparison(schemas()[schema_id])
    messages = golden()[schema_id]

    doubts = comparison.doubts(messages)

    assert doubts.messages == []
    assert doubts.values == []
    for message in messages:
        alone = comparison.doubts([message])
        assert (alone.messages, alone.values) == ([], [])


@pytest.mark.parametrize("schema_id", golden())
def test_one_damaged_byte_anywhere_costs_that_record_alone(schema_id: int) -> None:
    comparison = Comparison(schemas()[schema_id])
    messages = golden()[schema_id]
    victim = max((m for m in messages if len(m) < 1000), key=len, default=min(messages, key=len))
    neighbour = min(messages, key=len)
    # The middle of a long text is one place like the other.
    places = sorted({*range(min(len(victim), 500)), *range(max(0, len(victim) - 100), len(victim))})
    spoilt = [
        each
        for place in places
        for each in (
            victim[:place] + bytes([victim[place] ^ 1 << place % 8]) + victim[place + 1 :],
            victim[:place] + bytes([victim[place] ^ 0x80]) + victim[place + 1 :],
            victim[:place] + victim[place + 1 :],
            victim[:place] + b"\x2a" + victim[place:],
            victim[:place] + b"\xff" + victim[place + 1 :],
            victim[:place],
        )
    ]
    batch = [neighbour, *(each for one in spoilt for each in (one, neighbour))]

    doubts = comparison.doubts(batch)

    assert [n for n in doubts.messages if n % 2 == 0] == []
    assert [n for n, *_ in doubts.values if n % 2 == 0] == []


PIECES = st.sampled_from(
    [
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        '"',
        "\\u",
        "d800",
        "1",
        "e9",
        "-",
        ".",
        "null",
        " ",
        "\n",
        "\\",
        "NaN",
        "é",
    ]
)
READ_JSON = converter(semantic(JSON, "string"))


@settings(max_examples=300)
@given(st.lists(st.one_of(JSONS, st.lists(PIECES, max_size=8).map("".join)), min_size=1, max_size=5))
def test_json_that_the_quick_reader_takes_the_reference_takes(texts: list[str]) -> None:
    accepted = is_json(pa.array(texts, pa.string())).tolist()

    # The converter raises where it refuses.
    assert [READ_JSON(text) for text, taken in zip(texts, accepted, strict=True) if taken] == [
        text for text, taken in zip(texts, accepted, strict=True) if taken
    ]


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_bytes_that_are_no_events_are_not_sound(messages: list[bytes]) -> None:
    comparison = Comparison(schemas()[next(iter(golden()))])

    comparison.doubts([b"\0" + struct.pack(">i", 2) + message for message in messages])
    comparison.doubts(messages)
