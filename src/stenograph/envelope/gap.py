"""A gap: a stretch of a source's changes that nobody can give any more, as a record in the log.

Written as Debezium writes a message of `pg_logical_emit_message`, so that its consumers know what to skip. Finds
no gap: the source does.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import fastavro

from stenograph.envelope.codec import VERSION
from stenograph.envelope.framing import framed
from stenograph.envelope.table import POSTGRES_SOURCE
from stenograph.errors import RecordUnreadable
from stenograph.schemas import SchemaId

PREFIX = "steno.gap"


@dataclass(frozen=True, slots=True)
class ReadGap:
    """What is known of a gap.

    `table` is None where every table of the source is concerned. `after` and `before` are places in the source's
    own words; each is empty where nobody knows it. `committed_at` is the time of the last commit before the gap, in
    µs since 1970 UTC. `repaired_by` is the run that reads the tables anew after it; None if none does yet.
    """

    source: str
    table: str | None
    after: str
    before: str
    cause: str
    committed_at: int
    repaired_by: int | None = None


KEY_SCHEMA = json.dumps(
    {
        "type": "record",
        "name": "MessageKey",
        "namespace": "io.debezium.connector.postgresql",
        "fields": [{"name": "prefix", "type": ["null", "string"], "default": None}],
        "connect.version": 1,
        "connect.name": "io.debezium.connector.postgresql.MessageKey",
    },
    separators=(",", ":"),
)
VALUE_SCHEMA = json.dumps(
    {
        "type": "record",
        "name": "MessageValue",
        "namespace": "io.debezium.connector.postgresql",
        "fields": [
            {"name": "op", "type": "string"},
            {"name": "ts_ms", "type": ["null", "long"], "default": None},
            {"name": "source", "type": POSTGRES_SOURCE},
            {
                "name": "message",
                "type": {
                    "type": "record",
                    "name": "Message",
                    "fields": [
                        {"name": "prefix", "type": ["null", "string"], "default": None},
                        {"name": "content", "type": ["null", "bytes"], "default": None},
                    ],
                    "connect.version": 1,
                    "connect.name": "io.debezium.connector.postgresql.Message",
                },
            },
        ],
        "connect.version": 1,
        "connect.name": "io.debezium.connector.postgresql.MessageValue",
    },
    separators=(",", ":"),
)


def gap_topic(prefix: str) -> str:
    """The topic in which a source reports gaps."""
    return f"{prefix}.message"


def encode_gap(
    gap: ReadGap, database: str, key_id: SchemaId, value_id: SchemaId, observed_at: int
) -> tuple[bytes, bytes]:
    """The framed key and value; `observed_at` is in nanoseconds since 1970 UTC."""
    content = {
        "table": gap.table,
        "after": gap.after,
        "before": gap.before,
        "cause": gap.cause,
        "repaired_by": gap.repaired_by,
    }
    value = {
        "op": "m",
        "ts_ms": observed_at // 1_000_000,
        "source": {
            "version": VERSION,
            "connector": "postgresql",
            "name": gap.source,
            "ts_ms": gap.committed_at // 1000,
            "snapshot": "false",
            "db": database,
            "ts_us": gap.committed_at,
            "ts_ns": gap.committed_at * 1000,
            "schema": "",
            "table": "",
        },
        "message": {"prefix": PREFIX, "content": json.dumps(content, ensure_ascii=False).encode()},
    }
    key = _written(KEY_SCHEMA, {"prefix": PREFIX})
    return framed(key_id, key), framed(value_id, _written(VALUE_SCHEMA, value))


def read_gap(decoded: Mapping[str, Any]) -> ReadGap | None:
    """The gap in a decoded message value; None for a message of anybody else. Raise RecordUnreadable if damaged."""
    message = decoded.get("message") or {}
    if message.get("prefix") != PREFIX:
        return None
    try:
        content, source = json.loads(message["content"]), decoded["source"]
        return ReadGap(
            source=source["name"],
            table=content["table"],
            after=content["after"],
            before=content["before"],
            cause=content["cause"],
            committed_at=source["ts_us"],
            repaired_by=content["repaired_by"],
        )
    except (KeyError, TypeError, ValueError):
        raise RecordUnreadable(
            "A gap message does not say what its prefix promises.",
            hint="Find out who writes to this topic: the prefix is the capturer's own.",
        ) from None


def _written(schema: str, record: object) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(cast(dict[Any, Any], json.loads(schema))), record)
    return out.getvalue()
