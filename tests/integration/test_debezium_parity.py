"""Byte parity: the golden workload through our source gives what real Debezium wrote, but for the exceptions below.

Replaced on both sides before the comparison, because they differ from run to run: `source.version`, `source.db`, every
timestamp, every LSN and transaction id. Exceptions, where we differ on purpose:

* `source.snapshot` of a read row: Debezium marks first and last rows over all tables, we within each table.
* `source.txId` of a read row: Debezium takes an xid of its own for reading, we take none.
* `transaction.id`: Debezium's changes from event to event, ours is one for the whole transaction.
* composite columns (`nested_types.c_comp`): Debezium drops them, we write their text.
* tombstones: not written, the topics are not compacted.
* gaps: a table that is altered without events is recorded as stale, in a topic of its own.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from typing import Any

import fastavro
import pytest

from stenograph.envelope.framing import schema_id_of
from stenograph.schemas import OnRewrite
from tests.capturing import Capturing, capturing
from tests.debezium_workload import records, schemas, statements
from tests.fix_postgres import Database
from tests.integration.test_postgres_source import caught_up

TABLES = (
    "lead",
    "scalar_types",
    "time_types",
    "nested_types",
    "composite_key",
    "full_identity",
    "default_identity",
    "evolving",
)
ONLY_OURS = {"golden.public.nested_types": "c_comp"}
RANDOM = ("golden.public.full_identity", 1, "big")
"""The workload fills this column of this row with random bytes."""

# The embedded 18 has no XML; the golden records are of 17.10.
pytestmark = pytest.mark.parametrize("postgres_server", [17], indirect=True)


@pytest.fixture
def captured(database: Database) -> Capturing:
    database.execute(*statements("tables.sql"))
    with capturing(database.dsn, *TABLES, name="golden") as capture:
        capture.on_rewrite = dict.fromkeys(capture.tables, OnRewrite.MARK)
        capture.run_until_records(3)
        for statement in statements("changes.sql"):
            # One by one, so that no table is ahead of the change whose schema is made.
            database.execute(statement, "SELECT pg_logical_emit_message(true, 'steno.mark', '')")
            caught_up(capture, database)
    return capture


def test_every_value_and_key_has_the_bytes_that_debezium_wrote(captured: Capturing) -> None:
    golden: dict[str, list[tuple[bytes, bytes, object]]] = defaultdict(list)
    for record in records():
        if record.value is not None:
            schema = schemas()[schema_id_of(record.value)]
            value = _normalised(record.topic, record.value, schema)
            golden[record.topic].append((record.key[5:], value, record.headers))
    ours: dict[str, list[tuple[bytes, bytes, object]]] = defaultdict(list)
    for mine in captured.records:
        if captured.is_gap(mine):
            continue
        registered = captured.registry.fetch(schema_id_of(mine.value))
        assert registered is not None
        assert mine.key is not None
        headers = tuple(header for header in mine.headers if header[0].startswith("__debezium."))
        ours[mine.topic].append((mine.key[5:], _normalised(mine.topic, mine.value, registered), headers))
    assert ours.keys() == golden.keys()
    for topic, expected in golden.items():
        assert ours[topic] == expected, topic


def test_every_schema_is_the_text_that_debezium_registered(captured: Capturing) -> None:
    tables = {record.topic for record in records()}
    golden = {text for text in schemas().values() if json.loads(text)["namespace"] in tables}
    ours = {_without_ours(s) for s in captured.registry.schemas if json.loads(s)["namespace"] in tables}
    assert ours == golden


def _without_ours(schema: str) -> str:
    parsed = json.loads(schema)
    column = ONLY_OURS.get(parsed["namespace"])
    if column is not None and parsed["name"] == "Envelope":
        value = parsed["fields"][0]["type"][1]
        value["fields"] = [field for field in value["fields"] if field["name"] != column]
    return json.dumps(parsed, separators=(",", ":"), ensure_ascii=False)


def _normalised(topic: str, message: bytes, schema: str) -> bytes:
    parsed = fastavro.parse_schema(json.loads(schema))
    datum: dict[str, Any] = fastavro.schemaless_reader(io.BytesIO(message[5:]), parsed, None)  # type: ignore[assignment]
    source = datum["source"]
    for name in ("ts_ms", "ts_us", "ts_ns"):
        assert source[name] > 0
        assert datum[name] > 0
        source[name] = datum[name] = 0
    assert source["lsn"] > 0
    assert source["sequence"].endswith(f',"{source["lsn"]}"]')
    source |= {"version": "", "db": "", "lsn": 0, "sequence": "", "txId": 0}
    if source["snapshot"] != "false":
        source["snapshot"] = "true"
    if datum["transaction"] is not None:
        datum["transaction"]["id"] = ""
    for image in (datum["before"], datum["after"]):
        if image is not None and (topic, image.get("id"), RANDOM[2]) == RANDOM:
            image[RANDOM[2]] = ""
    out = io.BytesIO()
    trimmed = fastavro.parse_schema(json.loads(_without_ours(schema)))
    fastavro.schemaless_writer(out, trimmed, datum)
    return out.getvalue()
