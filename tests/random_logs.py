"""Random logs of one topic, with everything in them that a sink must tell apart: for comparing two ways to take them.

Most records are plain changes of our own capturers; some are damaged, foreign, sent again or out of order.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pyarrow as pa

from stenograph.envelope.codec import EventEncoder
from stenograph.envelope.framing import schema_id_of
from stenograph.envelope.reading import EventReader
from stenograph.envelope.table import POSTGRES_SOURCE, WireColumn, WireTable
from stenograph.events import ChangeEvent, KeyChange, Missing, Op, Origin, TableId, Transaction
from stenograph.offsets import LaneMark, Mark, Partition, order_of
from stenograph.packing import Packed, coded
from stenograph.ports import Headers, LoggedBatch
from stenograph.schemas import (
    AvroType,
    Column,
    ColumnType,
    Evolution,
    Kind,
    Model,
    SchemaId,
    TablePlan,
    TableShape,
    ValuePolicy,
    column_type,
    nullable_of,
)
from tests.golden_records import records, schemas

TOPIC = "crm.public.thing"
TABLE = TableId("public", "thing")
LANES = ("crm/stream/7-1", "crm/stream/7-2", "crm/snapshot/1")
EPOCH = 1_767_225_600_000_000
STRANGE = [
    "",
    "plain",
    'a "quote"',
    "back\\slash",
    "tab\tnul\x00",
    "naïve ☕ 漢字",
    "__debezium_unavailable_value",
]


class Registered:
    """A `SchemaRegistry` of what was registered in it and of the golden schemas, which are never registered."""

    def __init__(self) -> None:
        self._texts: dict[SchemaId, str] = {}

    def register(self, subject: str, schema: str) -> SchemaId:
        """See `SchemaRegistry.register`."""
        for number, text in self._texts.items():
            if text == schema:
                return number
        self._texts[len(self._texts) + 100_000] = schema
        return len(self._texts) + 99_999

    def fetch(self, schema_id: SchemaId) -> str | None:
        """See `SchemaRegistry.fetch`."""
        return self._texts.get(schema_id) or schemas().get(schema_id)

    def latest(self, subject: str) -> tuple[SchemaId, str] | None:
        """See `SchemaRegistry.latest`; nobody asks."""
        return None


def _golden_columns(table: str) -> tuple[WireColumn, ...]:
    record = next(r for r in records() if r["topic"] == f"golden.public.{table}" and r["value"])
    return EventReader(schemas()[schema_id_of(bytes.fromhex(record["value"]))]).columns


UUID = {"type": "string", "connect.version": 1, "connect.name": "io.debezium.data.Uuid"}
JSON = {"type": "string", "connect.version": 1, "connect.name": "io.debezium.data.Json"}
INT16 = {"type": "int", "connect.type": "int16"}
NUMERIC = {"type": "bytes", "scale": 2, "precision": 10, "logicalType": "decimal", "connect.name": "x"}
THING = (
    WireColumn("id", "long", nullable=False),
    WireColumn("status", "string", nullable=False, default="new"),
    WireColumn("score", "int", nullable=True),
    WireColumn("size", INT16, nullable=True),
    WireColumn("amount", NUMERIC, nullable=True),
    WireColumn("notes", "string", nullable=True),
    WireColumn("document", JSON, nullable=True),
    WireColumn("token", UUID, nullable=True),
)
REGION = WireColumn("region", "string", nullable=False)
SHAPES: Mapping[str, Sequence[WireTable]] = {
    "one column as key": [
        WireTable("crm", TABLE, THING, ("id",)),
        WireTable("crm", TABLE, THING[:6], ("id",)),
    ],
    "two columns as key": [
        WireTable("crm", TABLE, (*THING, REGION), ("region", "id")),
        WireTable("crm", TABLE, (*THING, REGION), ("id",)),
    ],
    "no key": [WireTable("crm", TABLE, THING[1:], ())],
    "scalars": [WireTable("crm", TABLE, _golden_columns("scalar_types"), ("id",))],
    "times": [WireTable("crm", TABLE, _golden_columns("time_types"), ("id",))],
    "nested": [WireTable("crm", TABLE, _golden_columns("nested_types"), ("id",))],
    "strange names": [
        WireTable(
            "crm", TABLE, (WireColumn("a b", "long", False), WireColumn('"q"', "string", True)), ("a b",)
        )
    ],
}


def plan_of(random_: random.Random, shape: str) -> TablePlan:
    """A plan for the topic, with a model where the table has the columns for one."""
    plan = TablePlan(
        "crm",
        TABLE,
        TOPIC,
        "thing_history",
        keep_before=random_.random() < 0.5,
        unheld=random_.choice(list(ValuePolicy)),
        evolution=random_.choice(list(Evolution)),
    )
    if shape != "one column as key" or random_.random() < 0.4:
        return plan
    fields = [
        Column("id", ColumnType(Kind.INT64)),
        Column("state", ColumnType(Kind.TEXT)),
        Column(
            "score",
            random_.choice([ColumnType(Kind.INT64), ColumnType(Kind.DECIMAL, 12, 2), ColumnType(Kind.TEXT)]),
        ),
        Column("amount", random_.choice([ColumnType(Kind.DECIMAL, 20, 4), ColumnType(Kind.NUMBER_TEXT)])),
        Column("owner", ColumnType(Kind.TEXT)),
    ]
    model = Model("thing", 3, TableShape(tuple(fields), ("id",)), frozenset({"id"}))
    return replace(plan, model=model, renames={"status": "state"})


@dataclass
class RandomLog:
    """Batches of the topic's partitions, and where their lanes stand before."""

    random_: random.Random
    shape: str

    def __post_init__(self) -> None:
        self.registry = Registered()
        self.encoders = [_encoder(table, self.registry) for table in SHAPES[self.shape]]
        self.oddity = self.random_.choice([0.0, 0.02, 0.2])

    def batches(self) -> list[LoggedBatch]:
        """One or two batches for each of one or two partitions, the later one after the earlier."""
        found, place = [], 1
        for number in range(self.random_.randint(1, 2)):
            start = self.random_.randint(0, 5)
            for _ in range(self.random_.randint(1, 2)):
                count = self.random_.choice([0, 1, 3, 30])
                found.append(self._batch(Partition(TOPIC, number), start, count, place))
                start, place = found[-1].stop, place + count
        return found

    def marks(self, batches: Sequence[LoggedBatch]) -> dict[Partition, Mark]:
        """Where a claim left the partitions: some lanes are new, some have passed a part of what comes."""
        marks: dict[Partition, Mark] = {}
        for batch in batches:
            lanes = {
                lane: LaneMark(
                    order_of(1, self.random_.randint(0, 20), 0, 0),
                    EPOCH + self.random_.randint(-5, 60) * 1_000_000,
                )
                for lane in LANES
                if self.random_.random() < 0.3
            }
            marks.setdefault(batch.partition, Mark(batch.start, 3, lanes))
        return marks

    def _batch(self, partition: Partition, start: int, count: int, place: int) -> LoggedBatch:
        made = [self._record(place + number) for number in range(count)]
        if made and self.random_.random() < 0.3:
            # Sent again from somewhere on, as after a crash.
            first = self.random_.randrange(len(made))
            made += made[first : first + self.random_.randint(1, 10)]
        offsets = [start + 2 * number for number in range(len(made))]
        keys, values, lanes, orders, headers = (
            (list(column) for column in zip(*made, strict=True)) if made else ([], [], [], [], [])
        )
        batch = LoggedBatch(
            partition=partition,
            generation="g",
            start=start,
            stop=offsets[-1] + 1 if offsets else start,
            offsets=offsets,
            timestamps=[0] * len(made),
            keys=keys,
            values=values,
            lanes=lanes,
            orders=orders,
            headers=headers,
        )
        if self.random_.random() < 0.5:
            return batch
        return replace(
            batch,
            keys=_packed(keys),
            values=_packed(values),
            orders=_packed(orders),
            lanes=coded(lanes),
            headers=coded(headers),
        )

    def _record(self, place: int) -> tuple[bytes | None, bytes | None, str | None, bytes | None, Headers]:
        random_ = self.random_
        encoder, table = random_.choices(self.encoders, [9, 1][: len(self.encoders)])[0]
        event = self._event(table, place)
        key, value, headers = encoder.key(event), encoder.value(event), encoder.headers(event)
        lane: str | None = random_.choices(LANES, [8, 1, 1])[0]
        order: bytes | None = order_of(1, place, place, 0)
        if random_.random() >= self.oddity:
            return key, value, lane, order, headers
        match random_.randint(0, 11):
            case 0:
                return key, None, lane, order, headers
            case 1:
                return key, value[: random_.randrange(len(value))], lane, order, headers
            case 2:
                return key, _flipped(random_, value), lane, order, headers
            case 3:
                return None if key is None else _flipped(random_, key), value, lane, order, headers
            case 4:
                return (
                    key,
                    random_.choice([b"", b"\0", b"\1\0\0\0\7", b"\0\0\0\0\1x", value + b"\0"]),
                    lane,
                    order,
                    headers,
                )
            case 5:
                return key, value, None, None, headers
            case 6:
                return key, value, lane, order, (*headers, ("steno.text", b'{"score":"NaN"}'))
            case 7:
                odd = random_.choice(
                    [b"[", b"{}", b'["nothing"]', b'"notes"', b"[1]", b'["notes"]', b'["status","notes"]']
                )
                return key, value, lane, order, (*headers, ("steno.unchanged", odd))
            case 8:
                odd = random_.choice([b"[", b"[]", b"null", b'{"id":1}', b'{"id":1,"x":[null]}'])
                return key, value, lane, order, (*headers, ("__debezium.newkey", odd))
            case 9:
                return key, value, lane, order_of(1, max(place - random_.randint(0, 8), 0), place, 0), headers
            case 10:
                return key, value, lane, random_.choice([None, b"short", order_of(0, place, 0, 0)]), headers
            case _:
                return None, value, lane, order, headers

    def _event(self, table: WireTable, place: int) -> ChangeEvent:
        random_ = self.random_
        row = self._row(table)
        op = random_.choices(list(Op), [6, 6, 3, 3, 0.3])[0]
        key = {name: row[name] for name in table.key} if table.key and op is not Op.TRUNCATE else None
        gone = op in (Op.DELETE, Op.TRUNCATE)
        before = random_.choice([None, key, self._row(table), row])
        change = random_.choice([KeyChange.LEFT, KeyChange.ARRIVED]) if random_.random() < 0.1 else None
        if not gone and random_.random() < 0.2:
            left_out = random_.choice([c.name for c in table.columns if c.name not in table.key] or [None])
            row |= {} if left_out is None else {left_out: Missing.UNCHANGED}
        back = random_.choice([0, 0, 0, 3]) if self.oddity else 0
        return ChangeEvent(
            op=op,
            origin=_origin(op, place, place - back),
            key=key,
            before=before,
            after=None if gone else row,
            observed_at=(EPOCH + place) * 1000,
            before_is_full=before is not None and before is not key and random_.random() < 0.7,
            transaction=random_.choice([None, Transaction(f"{place}:{place}", 1, 1)]),
            key_change=change,
            related_key=None if change is None else {"id": place, "name": 'ü"'},
        )

    def _row(self, table: WireTable) -> dict[str, object]:
        return {
            column.name: None
            if column.nullable and column.name not in table.key and self.random_.random() < 0.3
            else self._value(column.avro)
            for column in table.columns
        }

    def _value(self, avro: AvroType) -> Any:
        random_ = self.random_
        branch, nullable = nullable_of(avro)
        of: Any = branch
        if nullable and random_.random() < 0.2:
            return None
        kind = column_type(of)
        base = of["type"] if isinstance(of, Mapping) else of
        is_odd = random_.random() < self.oddity / 4
        match kind.kind, base:
            case Kind.DECIMAL, _:
                return Decimal((random_.randint(0, 1), (1, random_.randint(0, 9), 0), -(kind.scale or 0)))
            case Kind.UUID, _:
                return (
                    random_.choice(STRANGE)
                    if is_odd
                    else f"0000000{random_.randint(0, 9)}-1111-2222-3333-444444444444"
                )
            case Kind.JSON, "string":
                return (
                    random_.choice(STRANGE) if is_odd else json.dumps({"a": [random_.randint(0, 9), 'x"y']})
                )
            case Kind.TIMESTAMPTZ, "string":
                return (
                    random_.choice(STRANGE)
                    if is_odd
                    else f"2026-03-0{random_.randint(1, 9)}T12:00:00.{random_.choice(['5', '123456'])}Z"
                )
            case Kind.NUMBER_TEXT, "record":
                return {"scale": random_.randint(0, 3), "value": bytes([random_.randint(0, 255)])}
            case Kind.LIST, _:
                return [self._value(of["items"]) for _ in range(random_.randint(0, 3))]
            case _, "boolean":
                return random_.random() < 0.5
            case _, "int":
                return random_.choice([2**31 - 1, -(2**31)]) if is_odd else random_.randint(0, 20_000)
            case _, "long":
                return (
                    random_.choice([2**63 - 1, -(2**63), 10**17])
                    if is_odd
                    else random_.randint(0, 80_000_000)
                )
            case _, "float":
                return random_.choice([0.5, -0.0, float("inf"), float("nan")])
            case _, "double":
                return random_.choice([0.1, 1e300, float("nan")])
            case _, "bytes":
                return random_.choice([b"", b"\x00\xff", b"__debezium_unavailable_value"])
            case _, "record":
                return {field["name"]: self._value(field["type"]) for field in of["fields"]}
            case _:
                return random_.choice(STRANGE)


def _encoder(table: WireTable, registry: Registered) -> tuple[EventEncoder, WireTable]:
    key = table.key_schema()
    key_id = None if key is None else registry.register("key", key)
    return EventEncoder(table, key_id, registry.register("value", table.value_schema(POSTGRES_SOURCE))), table


def _origin(op: Op, place: int, second: int) -> Origin:
    return Origin(
        connector="postgresql",
        source="crm",
        database="db",
        table=TABLE,
        committed_at=EPOCH + second * 1_000_000,
        snapshot="true" if op is Op.SNAPSHOT else "false",
        sequence='[null,"1"]',
        transaction_id=7,
        lsn=16 * place,
    )


def _flipped(random_: random.Random, message: bytes) -> bytes:
    place = random_.randrange(len(message))
    return message[:place] + bytes([message[place] ^ 1 << random_.randrange(8)]) + message[place + 1 :]


def _packed(values: Sequence[bytes | None]) -> Packed:
    """As the log gives them: a slice of something larger."""
    return Packed(pa.array([b"before", *values, b"behind"], pa.large_binary()).slice(1, len(values)))
