"""Reads framed messages back into change events, whoever wrote them: our capturers or real Debezium.

Fetches no schema: the caller looks ids up in a registry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, assert_never, cast

from stenograph.envelope.codec import EnvelopeDecoder
from stenograph.envelope.headers import BEFORE, NEW_KEY, OLD_KEY, TEXT, UNAVAILABLE, UNCHANGED, json_of
from stenograph.envelope.table import COLUMN_NAME, WireColumn
from stenograph.errors import RecordUnreadable
from stenograph.events import ChangeEvent, KeyChange, Missing, Op, Origin, Row, TableId, Transaction
from stenograph.schemas import UnknownAvroType, fields_of, fingerprint, nullable_of, resolved

Headers = Sequence[tuple[str, bytes]]


def _micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


class Writer(Enum):
    """Who wrote a record; it decides how far its values are taken at their word."""

    OURS = "ours"
    """Says in headers which columns were not sent: a value that looks like the placeholder is a value."""
    DEBEZIUM = "debezium"
    """Says it by the placeholder alone."""


class KeyReader:
    """Reads the keys of one writer schema; `wire` are the key's columns as that schema has them."""

    def __init__(self, schema: str) -> None:
        """Raise RecordUnreadable if the schema is not one of a key record."""
        self._decoder = EnvelopeDecoder(schema)
        record = resolved(_record(schema))
        self._names = _names(record)
        self.wire = tuple(WireColumn(self._names[f.name], f.type, f.nullable) for f in fields_of(record))

    @property
    def columns(self) -> tuple[str, ...]:
        """The key's columns by their own names, in order."""
        return tuple(self._names.values())

    def read(self, message: bytes) -> dict[str, object]:
        """The key's wire values by column name."""
        return {self._names[field]: value for field, value in self._decoder.decode(message).items()}


class EventReader:
    """Reads the envelopes of one writer schema.

    `columns` are the table's columns as that schema has them; `fingerprint` stands for it in the warehouse.
    `is_message` says that these are not changes of a table but messages of the capturer, such as gaps.
    """

    def __init__(self, schema: str) -> None:
        """Raise RecordUnreadable if the schema is not one of change events."""
        self._decoder = EnvelopeDecoder(schema)
        record = _record(schema)
        self.fingerprint = fingerprint(json.dumps(record, separators=(",", ":"), sort_keys=True))
        self.is_message = str(record.get("name")).endswith("MessageValue")
        self.columns: tuple[WireColumn, ...] = ()
        if not self.is_message:
            self._value = resolved(_value_record(record))
            self._names = _names(self._value)
            self.columns = tuple(
                WireColumn(self._names[field.name], field.type, field.nullable)
                for field in fields_of(self._value)
            )
            self._textual = frozenset(c.name for c in self.columns if _is_text(c))

    def decode(self, message: bytes) -> dict[str, Any]:
        """The plain datum, for messages that are not changes."""
        return self._decoder.decode(message)

    def read(self, message: bytes, key: Row | None, headers: Headers, writer: Writer) -> ChangeEvent:
        """The event. Without our own header, only the key's columns of a `before` are trusted."""
        datum = self._decoder.decode(message)
        try:
            return self._event(datum, key, dict(headers), writer)
        except _DAMAGE as cause:
            raise RecordUnreadable(
                "The record's envelope or headers do not say what a change event must say.",
                hint="The record is in quarantine with its exact bytes; look at what wrote it.",
                failure=type(cause).__name__,
            ) from None

    def _event(
        self, datum: Mapping[str, Any], key: Row | None, known: Mapping[str, bytes], writer: Writer
    ) -> ChangeEvent:
        try:
            op = Op.of_code(datum["op"])
        except KeyError:
            raise _not_an_event("has an operation that is none of c, u, d, r and t") from None
        before, after = self._row(datum["before"]), self._row(datum["after"])
        if after is not None:
            self._mark_unchanged(after, known.get(UNCHANGED), writer)
        texts = self._texts_of(known.get(TEXT))
        for row in (before, after):
            if row is not None:
                # Where null is not allowed on the wire, a made-up value stands in for what it cannot hold.
                row.update(dict.fromkeys(texts))
        if after is None and op in (Op.CREATE, Op.UPDATE, Op.SNAPSHOT):
            raise _not_an_event("is a create, update or read without the row after it")
        key_change, related = _key_change(known)
        block = datum.get("transaction")
        observed = datum.get("ts_ns") or (datum.get("ts_ms") or 0) * 1_000_000
        origin = _origin(datum["source"])
        if origin.committed_at not in INSTANTS or observed // 1000 not in INSTANTS:
            raise _not_an_event("says that it was committed at no time of any calendar")
        return ChangeEvent(
            op=op,
            origin=origin,
            key=key,
            before=before,
            after=after,
            observed_at=observed,
            before_is_full=known.get(BEFORE) == b"full",
            transaction=None
            if block is None
            else Transaction(block["id"], block["total_order"], block["data_collection_order"]),
            key_change=key_change,
            related_key=related,
            texts=texts,
        )

    def _row(self, value: Mapping[str, object] | None) -> dict[str, object] | None:
        if value is None:
            return None
        return {self._names[field]: item for field, item in value.items()}

    def _texts_of(self, header: bytes | None) -> dict[str, str]:
        texts = {} if header is None else json_of(header)
        if not isinstance(texts, dict) or not texts.keys() <= set(self._names.values()):
            raise _not_an_event("names a column in its headers that its schema does not have")
        if not all(isinstance(text, str) for text in texts.values()):
            raise _not_an_event("has an exact text in its headers that is none")
        return texts

    def _mark_unchanged(self, row: dict[str, object], names: bytes | None, writer: Writer) -> None:
        match writer:
            case Writer.OURS:
                for name in json_of(names or b"[]"):
                    if name not in row:
                        raise _not_an_event("names a column in its headers that its schema does not have")
                    row[name] = Missing.UNCHANGED
            case Writer.DEBEZIUM:
                for name in self._textual:
                    if row[name] in (UNAVAILABLE, _UNAVAILABLE_BYTES):
                        row[name] = Missing.UNCHANGED
            case _:
                assert_never(writer)


_UNAVAILABLE_BYTES = UNAVAILABLE.encode()
_DAMAGE = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
"""What a datum or header raises that Avro lets pass and that is no change event all the same."""
INSTANTS = range(_micros(datetime(1, 1, 1, tzinfo=UTC)), _micros(datetime(9999, 12, 31, tzinfo=UTC)))
"""Microseconds since 1970 that a commit or a clock can have: a year from 1 to 9999."""


def _record(schema: str) -> Mapping[str, object]:
    try:
        record = json.loads(schema)
    except json.JSONDecodeError:
        record = None
    if not isinstance(record, dict) or record.get("type") != "record":
        raise _not_an_event("names a schema that is not a record")
    return record


def _value_record(envelope: Mapping[str, object]) -> Mapping[str, object]:
    fields = {field["name"]: field for field in cast(list[dict[str, Any]], envelope["fields"])}
    if not {"before", "after", "source", "op"} <= set(fields):
        raise _not_an_event("names a schema that is not a change event's envelope")
    try:
        value, _ = nullable_of(fields["before"]["type"])
    except UnknownAvroType:
        value = ""
    if not isinstance(value, Mapping) or value.get("type") != "record":
        raise _not_an_event("names a schema whose rows are not records")
    return value


def _names(record: Mapping[str, object]) -> dict[str, str]:
    return {f["name"]: f.get(COLUMN_NAME, f["name"]) for f in cast(list[dict[str, str]], record["fields"])}


def _is_text(column: WireColumn) -> bool:
    avro = column.avro
    return avro in ("string", "bytes") or (isinstance(avro, Mapping) and avro.get("type") == "string")


def _key_change(headers: Mapping[str, bytes]) -> tuple[KeyChange | None, Row | None]:
    for name, half in ((NEW_KEY, KeyChange.LEFT), (OLD_KEY, KeyChange.ARRIVED)):
        if name in headers:
            key = json_of(headers[name])
            if not isinstance(key, dict):
                raise _not_an_event("names another key in its headers that is none")
            return half, key
    return None, None


def _origin(source: Mapping[str, Any]) -> Origin:
    committed = source.get("ts_us")
    return Origin(
        connector=source["connector"],
        source=source["name"],
        database=source["db"],
        table=TableId(source.get("schema") or source["db"], source["table"]),
        committed_at=source["ts_ms"] * 1000 if committed is None else committed,
        snapshot=source.get("snapshot") or "false",
        sequence=source.get("sequence"),
        transaction_id=source.get("txId"),
        lsn=source.get("lsn"),
    )


def _not_an_event(what: str) -> RecordUnreadable:
    return RecordUnreadable(
        f"The record {what}.",
        hint="Find out who writes to this topic: only change events belong there.",
    )
