"""The reference codec: change events to Avro bytes and back, one dictionary at a time through fastavro.

Plain on purpose: faster encoders are held equal to it, byte for byte.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import fastavro

from stenograph.envelope.framing import PREFIX_BYTES, framed
from stenograph.envelope.headers import (
    BEFORE,
    TEXT,
    UNAVAILABLE,
    UNCHANGED,
    Unheld,
    key_json,
    names_json,
    texts_json,
)
from stenograph.envelope.table import POSTGRES_SOURCE, WireColumn, WireTable
from stenograph.errors import RecordUnreadable
from stenograph.events import ChangeEvent, Missing, Origin, Row
from stenograph.schemas import AvroType, SchemaId

VERSION = "3.6.3.Final"
"""What `source.version` says unless a setting says otherwise: the Debezium whose bytes these are."""


class EventEncoder:
    """Encodes one table's events under the ids its schemas were registered with.

    Rows hold wire values by the columns' own names. `Missing.UNCHANGED` becomes Debezium's placeholder where
    the type can hold it, else null or the type's zero; the header says which columns they were.
    """

    def __init__(
        self, table: WireTable, key_id: SchemaId | None, value_id: SchemaId, version: str = VERSION
    ) -> None:
        self._table = table
        self.key_id = key_id
        self.value_id = value_id
        self.version = version
        self._spelling = table.spelling()
        key_schema = table.key_schema()
        self._key = None if key_schema is None else _parsed(key_schema)
        self._value = _parsed(table.value_schema(POSTGRES_SOURCE))
        self._column = {column.name: column for column in table.columns}
        self._absent = {column.name: zero(column) for column in table.columns}

    def key(self, event: ChangeEvent) -> bytes | None:
        """The framed key; None for a truncate and for a table without a primary key."""
        if self._key is None or self.key_id is None or event.key is None:
            return None
        key = {self._spelling[n]: written_as(v, self._column[n].avro) for n, v in event.key.items()}
        return framed(self.key_id, _written(self._key, key))

    def value(self, event: ChangeEvent) -> bytes:
        """The framed envelope."""
        observed = event.observed_at
        envelope = {
            "before": self._row(event.before),
            "after": self._row(event.after),
            "source": self._source(event.origin),
            "transaction": None,
            "op": event.op.code,
            "ts_ms": observed // 1_000_000,
            "ts_us": observed // 1_000,
            "ts_ns": observed,
        }
        if event.transaction is not None:
            envelope["transaction"] = {
                "id": event.transaction.id,
                "total_order": event.transaction.total_order,
                "data_collection_order": event.transaction.table_order,
            }
        return framed(self.value_id, _written(self._value, envelope))

    def headers(self, event: ChangeEvent) -> tuple[tuple[str, bytes], ...]:
        """The headers beside lane and order: key change, what is known of `before`, what was not sent."""
        headers: list[tuple[str, bytes]] = []
        if event.key_change is not None and event.related_key is not None:
            headers.append((event.key_change.value, key_json(event.related_key)))
        if event.before is not None:
            headers.append((BEFORE, b"full" if event.before_is_full else b"key"))
        unchanged = [n for n, v in (event.after or {}).items() if v is Missing.UNCHANGED]
        if unchanged:
            headers.append((UNCHANGED, names_json(unchanged)))
        rows = (event.before if event.before_is_full and event.after is None else None, event.after)
        unheld = {n: v.text for row in rows if row for n, v in row.items() if isinstance(v, Unheld)}
        if unheld:
            headers.append((TEXT, texts_json(unheld)))
        return tuple(headers)

    def _row(self, row: Row | None) -> dict[str, object] | None:
        if row is None:
            return None
        written = {}
        for name, spelled in self._spelling.items():
            column = self._column[name]
            # A column left out was not sent; a null is one, whatever the column's default.
            value = row.get(name, self._absent[name])
            if value is Missing.UNCHANGED:
                value = placeholder(self._absent[name], column)
            elif value is None or isinstance(value, Unheld):
                value = None if column.nullable else self._absent[name]
            written[spelled] = written_as(value, column.avro)
        return written

    def _source(self, origin: Origin) -> dict[str, object]:
        return {
            "version": self.version,
            "connector": origin.connector,
            "name": origin.source,
            "ts_ms": origin.committed_at // 1000,
            "snapshot": origin.snapshot,
            "db": origin.database,
            "sequence": origin.sequence,
            "ts_us": origin.committed_at,
            # After 2262 an Avro long cannot count nanoseconds; ts_us still says when.
            "ts_ns": nanos if (nanos := origin.committed_at * 1000) < 2**63 else None,
            "schema": origin.table.schema,
            "table": origin.table.name,
            "txId": origin.transaction_id,
            "lsn": origin.lsn,
            "xmin": None,
            "origin": None,
            "origin_lsn": None,
        }


class EnvelopeDecoder:
    """Decodes datums of one writer schema into dictionaries; Invariant 12: always the schema they were written with."""

    def __init__(self, schema: str) -> None:
        """Raise RecordUnreadable if the text is no Avro schema."""
        try:
            self._schema = _parsed(schema)
        except Exception as cause:
            raise RecordUnreadable(
                "The registry's schema for this record is not a valid Avro schema.",
                hint="Look at the schema in the registry; the producer that registered it is at fault.",
            ) from cause

    def decode(self, message: bytes) -> dict[str, Any]:
        """The datum of a framed message; raise RecordUnreadable if it is cut short or has bytes left over."""
        datum = io.BytesIO(message)
        datum.seek(PREFIX_BYTES)
        try:
            value = fastavro.schemaless_reader(datum, self._schema, None)
        except Exception as cause:  # noqa: BLE001 - fastavro raises whatever its innards raise on damage.
            raise RecordUnreadable(
                "The record's bytes are not a datum of the schema that it names.",
                hint="The record is in quarantine with its exact bytes; look at what wrote it.",
                failure=type(cause).__name__,
                bytes=len(message),
            ) from None
        rest = len(message) - datum.tell()
        if rest:
            raise RecordUnreadable(
                "The record has bytes left over after the datum of the schema that it names.",
                hint="The record is in quarantine with its exact bytes; look at what wrote it.",
                trailing_bytes=rest,
                bytes=len(message),
            )
        if not isinstance(value, dict):
            raise RecordUnreadable(
                "The record's schema is not a record.",
                hint="Only change events belong into this topic; look at what wrote it.",
            )
        return value


def _parsed(schema: str) -> Any:
    return fastavro.parse_schema(cast(dict[Any, Any], json.loads(schema)))


def written_as(value: object, avro: Any) -> object:
    """The value with decimals as bytes: as few as hold them, as Java has it (fastavro takes two for -1.28)."""
    if isinstance(value, Decimal):
        return decimal_bytes(value, avro["precision"], avro["scale"])
    if isinstance(value, list):
        return [written_as(item, avro["items"][1]) for item in value]
    return value


def decimal_bytes(number: Decimal, precision: int, scale: int) -> bytes:
    """The unscaled number, big endian; ValueError where it has more digits than the schema allows."""
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or len(digits) > precision or exponent + scale < 0:
        raise ValueError("not a decimal of this precision and scale")
    unscaled = int("".join(map(str, digits)) or "0") * int(10 ** (exponent + scale))
    signed = -unscaled if sign else unscaled
    size = ((~signed if signed < 0 else signed).bit_length() >> 3) + 1
    return signed.to_bytes(size, "big", signed=True)


def _written(schema: Any, record: object) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


def zero(column: WireColumn) -> object:
    """What Debezium writes where a column has no value: null, else its default, else the type's zero."""
    if column.nullable and column.default is None:
        return None
    if column.default is not None:
        return column.default
    return zero_of(column.avro)


def zero_of(avro: AvroType) -> object:
    """The made-up value of a NOT NULL column in a delete that carries only its key."""
    if isinstance(avro, str):
        return {"string": "", "bytes": b"", "boolean": False, "float": 0.0, "double": 0.0}.get(avro, 0)
    if not isinstance(avro, Mapping):
        return None
    if avro.get("connect.name") == "io.debezium.time.ZonedTimestamp":
        return "1970-01-01T00:00:00Z"
    match avro.get("type"):
        case "array":
            return []
        case "record":
            return {field["name"]: zero_of(field["type"]) for field in cast(list[Any], avro["fields"])}
        case base if avro.get("logicalType") == "decimal":
            return b"\0" if base == "bytes" else b""
        case base:
            return zero_of(cast(AvroType, base))


def placeholder(absent: object, column: WireColumn) -> object:
    """What Debezium writes where a column was not sent: its placeholder, or what is `absent` in other types."""
    match column.avro:
        case "string":
            return UNAVAILABLE
        case "bytes":
            return UNAVAILABLE.encode()
        case Mapping() as avro if avro.get("type") == "string":
            return UNAVAILABLE
        case _:
            return absent
