"""Confluent's wire format: a zero byte, the schema id in four bytes, the Avro datum.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from __future__ import annotations

from stenograph.errors import RecordUnreadable
from stenograph.schemas import SchemaId

PREFIX_BYTES = 5


def framed(schema_id: SchemaId, datum: bytes) -> bytes:
    """The datum with its prefix."""
    return b"\0" + schema_id.to_bytes(4, "big") + datum


def schema_id_of(message: bytes) -> SchemaId:
    """The id in the prefix; raise RecordUnreadable where there is no such prefix."""
    if len(message) < PREFIX_BYTES:
        raise RecordUnreadable(
            "The record is shorter than the five bytes that name its schema.",
            hint="Find out who writes to this topic: only Avro in Confluent's wire format belongs there.",
            bytes=len(message),
        )
    if message[0] != 0:
        raise RecordUnreadable(
            "The record does not begin with the magic byte 0.",
            hint="Find out who writes to this topic: only Avro in Confluent's wire format belongs there.",
            first_byte=f"0x{message[0]:02x}",
        )
    return int.from_bytes(message[1:5], "big")
