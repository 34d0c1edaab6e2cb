"""Tables of every type that a Postgres column can have, rows of them, and what the reference encoder makes of those.

Only for tests: the encoders that are faster are held against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from stenograph.envelope.table import WireColumn, WireTable
from stenograph.events import ChangeEvent, Op, Origin, TableId
from stenograph.ports import EncodedBatch
from stenograph.sources.postgres.batch import BatchUnderway
from stenograph.sources.postgres.catalogue import PgType, TypeKind
from stenograph.sources.postgres.changes import CONNECTOR, ChangeEvents
from stenograph.sources.postgres.compiled import CompiledTable
from stenograph.sources.postgres.express import Express
from stenograph.sources.postgres.incoming import Incoming
from stenograph.sources.postgres.messages import Delete, Insert, NotSent, Update, decoded
from stenograph.sources.postgres.table import CapturedTable, CapturedTables, TableForm
from stenograph.sources.postgres.transaction import OpenTransaction
from stenograph.sources.postgres.types import wire_type
from tests.capturing import ListRegistry
from tests.pgoutput_frames import delete_frame, insert_frame, update_frame

NAMES = (
    "bool", "bytea", "int8", "int2", "int4", "text", "json", "jsonb", "xml", "point", "cidr", "float4", "float8",
    "money", "inet", "bpchar", "varchar", "date", "time", "timestamp", "timestamptz", "interval", "timetz", "bit",
    "varbit", "numeric", "uuid", "tsvector", "oid",
)  # fmt: skip
OIDS = {name: 16 + place for place, name in enumerate(NAMES)}
TYPES = {oid: PgType(name, TypeKind.BASE, 0, -1, ",", ()) for name, oid in OIDS.items()}
MOOD, PERCENT, SHAPE, TEXTS_OID, INTS_OID, NUMBERS_OID = range(1, 7)
TYPES |= {
    MOOD: PgType("mood", TypeKind.ENUM, 0, -1, ",", ("sad", "ok", "happy")),
    PERCENT: PgType("percent", TypeKind.DOMAIN, OIDS["int4"], -1, ",", ()),
    SHAPE: PgType("shape", TypeKind.OTHER, 0, -1, ",", ()),
    TEXTS_OID: PgType("_text", TypeKind.ARRAY, OIDS["text"], -1, ",", ()),
    INTS_OID: PgType("_int4", TypeKind.ARRAY, OIDS["int4"], -1, ",", ()),
    NUMBERS_OID: PgType("_numeric", TypeKind.ARRAY, OIDS["numeric"], -1, ",", ()),
}


def numeric(precision: int, scale: int) -> int:
    """The typmod of numeric(p,s)."""
    return (precision << 16 | scale & 0x7FF) + 4


def texts(*edges: str, like: SearchStrategy[str]) -> SearchStrategy[bytes]:
    return st.one_of(like, st.sampled_from(edges)).map(str.encode)


def whole(low: int, high: int) -> SearchStrategy[bytes]:
    return texts(
        str(low),
        str(high),
        "0",
        "-1",
        like=st.one_of(st.integers(low, high), st.integers(-9000, 9000)).map(str),
    )


ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
LONG = st.integers(4090, 4100).map(lambda n: "x" * n)
PART = st.integers(0, 99).map(lambda n: f"{n:02d}")
FRACTION = st.one_of(st.just(""), st.integers(1, 999_999).map(lambda n: f".{n:06d}".rstrip("0")))
DAY = st.dates().map(str)
CLOCK = st.times().map(lambda t: t.strftime("%H:%M:%S"))
MOMENT = st.tuples(DAY, CLOCK, FRACTION).map(lambda parts: f"{parts[0]} {parts[1]}{parts[2]}")
ZONED = MOMENT.map(lambda shown: f"{shown}+00")


def decimals(precision: int, scale: int) -> SearchStrategy[bytes]:
    limit = 10**precision - 1
    edges = [
        n for n in (0, 1, -1, 127, 128, -127, -128, -129, -32768, 32768, limit, -limit) if abs(n) <= limit
    ]
    return st.one_of(st.integers(-limit, limit), st.sampled_from(edges)).map(
        lambda n: pointed(n, scale)
    ) | st.just(b"NaN")


def pointed(unscaled: int, scale: int) -> bytes:
    digits = str(abs(unscaled)).rjust(scale + 1, "0")
    shown = f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
    return f"{'-' if unscaled < 0 else ''}{shown}".encode()


def columns() -> Mapping[str, tuple[int, int, SearchStrategy[bytes]]]:
    """Column name to type, typmod and texts."""
    any_text = texts("", "\\N", "\t", "\\", "a\\tb", "'", "ü", like=ANY | LONG)
    span = "infinity", "-infinity"
    odd = "NaN", "Infinity", "-Infinity", "-0"
    seconds = st.tuples(DAY, CLOCK).map(lambda parts: f"{parts[0]} {parts[1]}+00")
    real = st.floats(allow_nan=False).map(repr)
    single = st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr)
    named = {
        name: (OIDS[name], -1, any_text)
        for name in ("text", "json", "jsonb", "xml", "bpchar", "varchar", "tsvector")
    }
    return named | {
        "bool": (OIDS["bool"], -1, texts("t", "f", like=st.just("t"))),
        "bytea": (OIDS["bytea"], -1, st.binary(max_size=40).map(lambda b: b"\\x" + b.hex().encode())),
        "int2": (OIDS["int2"], -1, whole(-(2**15), 2**15 - 1)),
        "int4": (OIDS["int4"], -1, whole(-(2**31), 2**31 - 1)),
        "int8": (OIDS["int8"], -1, whole(-(2**63), 2**63 - 1)),
        "oid": (OIDS["oid"], -1, whole(0, 2**32 - 1)),
        "float4": (OIDS["float4"], -1, texts(*odd, "1e-45", "3.4028235e+38", like=single)),
        "float8": (OIDS["float8"], -1, texts(*odd, "5e-324", "2.5e+300", like=real)),
        "money": (OIDS["money"], -1, texts("$1,234.56", "-$0.01", "-$1.28", "$0.00", like=st.just("$5.00"))),
        "uuid": (OIDS["uuid"], -1, st.uuids().map(lambda u: str(u).encode())),
        "point": (OIDS["point"], -1, texts("(1.5,-2)", "(NaN,Infinity)", like=st.just("(0,0)"))),
        "inet": (OIDS["inet"], -1, texts("10.0.0.1", "::1/64", like=st.just("10.0.0.0/8"))),
        "date": (OIDS["date"], -1, texts(*span, "0044-03-15 BC", "12345-01-01", "4713-01-01 BC", like=DAY)),
        "time": (OIDS["time"], -1, texts("24:00:00", "00:00:00.000001", like=st.tuples(CLOCK, FRACTION).map("".join))),
        "time3": (OIDS["time"], 3, texts("24:00:00", "00:00:00.001", like=CLOCK)),
        "timestamp": (
            OIDS["timestamp"], -1,
            texts(*span, "0044-03-15 12:00:00 BC", "0044-03-15 12:00:00.5 BC", "12345-01-01 10:00:00",
                  "12345-01-01 10:00:00.25", "294276-12-31 23:59:59.999999", "4713-01-01 00:00:00 BC", like=MOMENT),
        ),
        "timestamp3": (OIDS["timestamp"], 3, texts(*span, "1969-12-31 23:59:59.999", like=MOMENT)),
        "timestamptz": (
            OIDS["timestamptz"], -1,
            texts(*span, "0044-03-15 12:00:00+00 BC", "12345-01-01 10:00:00+00", "12345-01-01 10:00:00.5+00",
                  "2024-01-01 00:00:00.123456+00", "294276-12-31 23:59:59.999999+00", like=ZONED),
        ),
        "timestamptz0": (OIDS["timestamptz"], 0, texts(*span, "0044-03-15 12:00:00+00 BC", like=seconds)),
        "timestamptz3": (OIDS["timestamptz"], 3, texts(*span, "2024-01-01 00:00:00.12+00", like=seconds)),
        "interval": (OIDS["interval"], -1, texts("P1Y2M3DT4H5M6.5S", "PT0S", "P-1D", "infinity", like=st.just("P1D"))),
        "timetz": (OIDS["timetz"], -1, texts("24:00:00+00", "12:34:56.5-05:30", like=st.just("00:00:00+00"))),
        "bit1": (OIDS["bit"], 1, texts("0", "1", like=st.just("0"))),
        "bit12": (OIDS["bit"], 12, texts("000000000000", "111100001111", like=st.just("000000000001"))),
        "varbit": (OIDS["varbit"], -1, texts("", "101", like=st.just("1"))),
        "numeric": (OIDS["numeric"], -1, decimals(40, 5) | texts("Infinity", "-Infinity", "1" * 80, like=st.just("0"))),
        "whole": (OIDS["numeric"], numeric(8, 0), decimals(8, 0)),
        "price": (OIDS["numeric"], numeric(12, 2), decimals(12, 2)),
        "share": (OIDS["numeric"], numeric(3, 3), decimals(3, 3)),
        "wide": (OIDS["numeric"], numeric(60, 30), decimals(60, 30)),
        "rounded": (OIDS["numeric"], numeric(3, -2), texts("12300", "-100", like=st.just("0"))),
        "mood": (MOOD, -1, texts("sad", "ok", "happy", like=st.just("ok"))),
        "percent": (PERCENT, -1, whole(0, 100)),
        "shape": (SHAPE, -1, texts('(1,"a b")', like=st.just("(,)"))),
        "texts": (TEXTS_OID, -1, texts('{NULL,"b c","\\"",""}', "{}", "{{a},{b}}", "[0:1]={a,b}", like=st.just("{}"))),
        "ints": (INTS_OID, -1, texts("{1,NULL,-3}", "{}", "{{1}}", like=st.just("{0}"))),
        "numbers": (NUMBERS_OID, numeric(9, 2), texts("{1.00,NULL,-1.28}", "{NaN}", like=st.just("{0.00}"))),
    }  # fmt: skip


COLUMNS = columns()
TABLE = TableId("public", "every_type")
OID, LSN, COMMITTED, RUN, NOW = 4711, 123_456_789, 1_700_000_000_123_456, 7, 1_700_000_001_123_456_789
OTHER, OTHER_OID = TableId("public", "another"), 4712
FAR = 10**16
"""A commit after 2262."""


@cache
def captured(
    identity: str,
    nullable: bool,
    keys: tuple[str, ...],
    defaults: bool,
    table: TableId = TABLE,
    relation: int = OID,
) -> CapturedTable:
    """A table of every type."""
    wire, reads = [], []
    for name, (oid, typmod, _) in COLUMNS.items():
        of = wire_type(oid, typmod, TYPES)
        default = {"int4": 5, "text": "x", "bool": True}.get(name) if defaults else None
        wire.append(WireColumn(name, of.avro, nullable and name not in keys, default))
        reads.append(of.read)
    form = TableForm(WireTable("crm", table, tuple(wire), keys), tuple(reads))
    return CapturedTables(ListRegistry()).captured(form, relation, identity)


COMPILED: dict[int, CompiledTable] = {}


def compiled(table: CapturedTable) -> CompiledTable:
    """Compiled once; `captured` keeps the table alive, so its identity is its own."""
    return COMPILED.setdefault(id(table), COMPILED.get(id(table)) or CompiledTable(table))


SHAPES = (
    st.sampled_from("df"),
    st.booleans(),
    st.sampled_from([(), ("int8",), ("text", "int4"), ("uuid", "price")]),
    st.booleans(),
)
TABLES = st.builds(captured, *SHAPES)
OTHERS = st.builds(captured, *SHAPES, st.just(OTHER), st.just(OTHER_OID))
CLEAN = {name: strategy for name, (_, _, strategy) in COLUMNS.items()}


@st.composite
def rows(draw: st.DrawFn, table: CapturedTable, unchanged: bool = False) -> list[bytes | NotSent]:
    """A row of the table: most columns of one text that is always fine, a few of any."""
    values: list[bytes | NotSent] = []
    drawn = draw(st.sets(st.sampled_from(list(COLUMNS)), max_size=6))
    for column in table.form.wire.columns:
        # A key that its type cannot hold is refused by the reference.
        held = CLEAN[column.name].filter(lambda text: text != b"NaN")
        choices: list[SearchStrategy[bytes | NotSent]]
        choices = [held if column.name in table.form.wire.key else CLEAN[column.name]]
        if column.name in drawn:
            if column.nullable:
                choices.append(st.just(NotSent.NULL))
            if unchanged and column.name not in table.form.wire.key:
                choices.append(st.just(NotSent.UNCHANGED))
        values.append(draw(st.one_of(choices)) if column.name in drawn else plain(column.name))
    return values


@cache
def plain(name: str) -> bytes:
    """A text of the column that needs no reference."""
    return {
        "bool": b"t", "bytea": b"\\x00ff", "point": b"(1,2)", "date": b"2024-02-29", "time": b"12:00:00.5",
        "time3": b"12:00:00", "timestamp": b"2024-02-29 12:00:00.25", "timestamp3": b"2024-02-29 12:00:00",
        "timestamptz": b"2024-02-29 12:00:00.1+00", "timestamptz0": b"2024-02-29 12:00:00+00",
        "timestamptz3": b"2024-02-29 12:00:00.12+00", "interval": b"P1D", "timetz": b"00:00:00+00",
        "money": b"$1.00", "bit1": b"1", "bit12": b"000000000001", "varbit": b"1", "price": b"10.00",
        "share": b"0.500", "wide": pointed(5, 30), "texts": b"{a}", "ints": b"{1}", "numbers": b"{1.00}",
    }.get(name, b"1")  # fmt: skip


@st.composite
def frames(draw: st.DrawFn, table: CapturedTable) -> bytes:
    """A frame that the table's server could send."""
    new, lsn = draw(rows(table, unchanged=True)), LSN + draw(st.integers(0, 2))
    full = table.identity == "f"
    keys = set(table.form.wire.key)
    kind = draw(st.sampled_from("IUUD"))
    old = draw(rows(table))
    if not full:
        old = [
            v if c.name in keys else NotSent.NULL for c, v in zip(table.form.wire.columns, old, strict=True)
        ]
    match kind:
        case "I":
            return insert_frame(lsn, table.oid, draw(rows(table)))
        case "D" if full or keys:
            return delete_frame(lsn, table.oid, old, b"O" if full else b"K")
        case _ if full:
            if draw(st.integers(0, 3)):
                # An old row mostly has the new one's key.
                names = [c.name for c in table.form.wire.columns]
                old = [n if c in keys else o for c, n, o in zip(names, new, old, strict=True)]
            return update_frame(lsn, table.oid, new, old)
        case _ if keys and draw(st.integers(0, 4)) == 0:
            return update_frame(lsn, table.oid, new, old, b"K")
        case _:
            return update_frame(lsn, table.oid, new)


@dataclass(frozen=True, slots=True)
class Settled:
    """A record without what the clock says."""

    topic: str
    key: bytes | None
    value: bytes
    order: bytes
    headers: object


def settled(batch: EncodedBatch) -> list[Settled]:
    """The records, each with the clock's reading taken off its end."""
    found = []
    for place, value in enumerate(batch.values):
        assert value is not None
        # Milliseconds of now are 6 bytes, microseconds 8, nanoseconds 9, each after its branch.
        found.append(
            Settled(
                batch.topics[place], batch.keys[place], value[:-26], batch.orders[place], batch.headers[place]
            )
        )
    return found


def by_reference(
    frame: bytes, table: CapturedTable, transaction: OpenTransaction, batch: BatchUnderway
) -> None:
    change = decoded(frame[25:])
    assert isinstance(change, Insert | Update | Delete)
    lsn = int.from_bytes(frame[1:9], "big")
    orders = transaction.orders(lsn, 2)
    for event, order in zip(EVENTS.of(change, table, lsn, transaction), orders, strict=False):
        batch.add(table, event, order)


EVENTS = ChangeEvents("crm", "sales")


def read_event(table: CapturedTable, values: list[bytes | NotSent], committed: int) -> ChangeEvent:
    row = table.form.row(values)
    origin = Origin(CONNECTOR, "crm", "sales", TABLE, committed, "true", f'[null,"{LSN}"]', None, LSN)
    return ChangeEvent(Op.SNAPSHOT, origin, table.form.key(row), None, row, NOW)


COMMIT = b"w" + bytes(24) + b"C"
"""As much of a frame as tells that it is no row's."""


def by_express(
    sent: Sequence[bytes],
    tables: Sequence[CapturedTable],
    transaction: OpenTransaction,
    at_once: int,
    limit: int = 100,
) -> BatchUnderway:
    """What the express makes of the frames, and the reference of those that the express leaves to it."""
    by_oid = {table.oid: table for table in tables}
    waiting = [*sent, COMMIT]
    incoming = Incoming(lambda _: [waiting.pop(0)] if waiting else [], lambda _: None)
    express, batch = Express("crm", "sales", at_once), BatchUnderway("crm", "lane", limit)
    frame = incoming.next()
    while frame is not None and frame is not COMMIT:
        for table in tables:
            express.open(table.oid.to_bytes(4, "big"), table, transaction)
        left = express.take(frame, incoming, transaction, batch, float("inf"))
        if left is not None and left is not COMMIT:
            by_reference(left, by_oid[int.from_bytes(left[26:30], "big")], transaction, batch)
            left = None
        frame = incoming.next() if left is None else left
    return batch
