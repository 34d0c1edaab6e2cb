"""Confluent's wire format."""

from __future__ import annotations

import pytest

from stenograph.envelope.framing import PREFIX_BYTES, framed, schema_id_of
from stenograph.errors import Action, RecordUnreadable


@pytest.mark.parametrize("schema_id", [0, 1, 255, 65_536, 2**31 - 1])
def test_a_framed_datum_names_its_schema(schema_id: int) -> None:
    message = framed(schema_id, b"datum")

    assert schema_id_of(message) == schema_id
    assert message[PREFIX_BYTES:] == b"datum"


@pytest.mark.parametrize("message", [b"", b"\0", b"\0\0\0\0", b"\1\0\0\0\1datum", b'{"a": 1}'])
def test_what_is_not_in_wire_format_is_quarantined(message: bytes) -> None:
    with pytest.raises(RecordUnreadable) as refusal:
        schema_id_of(message)

    assert refusal.value.action is Action.QUARANTINE
