"""Messages that Avro lets pass and that are no change events all the same."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest

from stenograph.envelope.codec import EnvelopeDecoder, EventEncoder
from stenograph.envelope.framing import framed
from stenograph.envelope.reading import EventReader, KeyReader, Writer
from stenograph.envelope.table import POSTGRES_SOURCE
from stenograph.errors import RecordUnreadable
from stenograph.events import ChangeEvent, Op
from tests.change_samples import LEAD, change, lead

SCHEMA = LEAD.value_schema(POSTGRES_SOURCE)
READER = EventReader(SCHEMA)
GOOD = EventEncoder(LEAD, 1, 2).value(change(Op.CREATE, lead(1), 1))


def rewritten(**fields: Any) -> bytes:
    """The good message with other values in its envelope; `source` is changed field by field."""
    datum = EnvelopeDecoder(SCHEMA).decode(GOOD)
    datum["source"] |= fields.pop("source", {})
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(SCHEMA)), datum | fields)
    return framed(2, out.getvalue())


def read(message: bytes, *headers: tuple[str, bytes]) -> ChangeEvent:
    return READER.read(message, {"id": 1}, headers, Writer.OURS)


def test_a_good_message_is_read() -> None:
    assert read(rewritten()) == change(Op.CREATE, lead(1), 1)


@pytest.mark.parametrize(
    "message",
    [
        rewritten(op="x"),
        rewritten(op="m"),
        rewritten(after=None),
        rewritten(op="r", after=None),
        rewritten(source={"ts_us": 2**62}),
        rewritten(source={"ts_us": None, "ts_ms": 2**62}),
        rewritten(source={"ts_us": -(2**62)}),
    ],
)
def test_an_envelope_that_says_the_impossible_is_unreadable(message: bytes) -> None:
    with pytest.raises(RecordUnreadable):
        read(message)


@pytest.mark.parametrize(
    "header",
    [
        ("steno.unchanged", b"{"),
        ("steno.unchanged", b"\xff"),
        ("steno.unchanged", b'["no such column"]'),
        ("steno.unchanged", b"5"),
        ("__debezium.newkey", b"{"),
        ("__debezium.oldkey", b"5"),
        ("__debezium.oldkey", b"[" * 100_000),
        ("__debezium.newkey", b'{"id":"\\ud800"}'),
        ("__debezium.newkey", b'{"id":NaN}'),
        ("steno.text", b'{"id":5}'),
        ("steno.text", b'{"id":null}'),
        ("steno.text", b'{"id":"\\ud800"}'),
    ],
)
def test_a_header_that_says_nothing_makes_the_record_unreadable(header: tuple[str, bytes]) -> None:
    with pytest.raises(RecordUnreadable):
        read(GOOD, header)


def envelope_with(before: object) -> str:
    """An envelope whose rows are of that type."""
    types = {"before": before, "after": "int", "source": "int", "op": "string"}
    fields = [{"name": name, "type": of} for name, of in types.items()]
    return json.dumps({"type": "record", "name": "a", "fields": fields})


@pytest.mark.parametrize(
    "schema",
    [
        '"string"',
        "[]",
        '{"type": "record", "name": "a", "fields": []}',
        envelope_with("int"),
        envelope_with(["null", "int", "long"]),
    ],
)
def test_a_schema_that_is_no_envelope_is_refused(schema: str) -> None:
    with pytest.raises(RecordUnreadable):
        EventReader(schema)


def test_a_key_schema_that_is_no_record_is_refused() -> None:
    with pytest.raises(RecordUnreadable):
        KeyReader('"string"')


def test_the_same_schema_has_the_same_fingerprint_whatever_its_spelling() -> None:
    spaced = json.dumps(json.loads(SCHEMA), indent=2, sort_keys=True)

    assert EventReader(spaced).fingerprint == READER.fingerprint
    assert READER.fingerprint != EventReader(SCHEMA.replace('"score"', '"scores"')).fingerprint
