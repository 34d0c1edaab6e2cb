"""What the reference encoder writes where a value is missing, and in headers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from stenograph.envelope.codec import EnvelopeDecoder, EventEncoder
from stenograph.envelope.headers import Unheld
from stenograph.envelope.table import POSTGRES_SOURCE, WireColumn, WireTable
from stenograph.errors import RecordUnreadable
from stenograph.events import KeyChange, Missing, Op, TableId
from tests.change_samples import LOG, change

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 2}
TABLE = WireTable(
    "crm",
    TableId("public", "t"),
    (
        WireColumn("id", "int", nullable=False),
        WireColumn("a", "string", nullable=False),
        WireColumn("b", DECIMAL, nullable=False),
        WireColumn("c", "string", nullable=True),
        WireColumn("d", "string", nullable=False, default="new"),
        WireColumn("e", "bytes", nullable=True),
        WireColumn("f", "long", nullable=False),
    ),
    ("id",),
)
ROW = {"id": 1, "a": "x", "b": Decimal("1.25"), "c": None, "d": "y", "e": None, "f": 3}
ENCODER = EventEncoder(TABLE, 4, 5)


def wire(**event: Any) -> dict[str, Any]:
    return EnvelopeDecoder(TABLE.value_schema(POSTGRES_SOURCE)).decode(
        ENCODER.value(change(table=TABLE, commit=1, **event))
    )


def test_a_delete_that_knows_its_key_alone_is_filled_up_as_debezium_does() -> None:
    before = wire(op=Op.DELETE, row={"id": 1})["before"]

    assert before == {"id": 1, "a": "", "b": Decimal("0.00"), "c": None, "d": "new", "e": None, "f": 0}


def test_a_column_that_was_not_sent_is_the_placeholder_where_its_type_can_hold_it() -> None:
    row = {
        **ROW,
        "a": Missing.UNCHANGED,
        "b": Missing.UNCHANGED,
        "c": Missing.UNCHANGED,
        "e": Missing.UNCHANGED,
    }
    event = change(Op.UPDATE, row, 1, table=TABLE)

    after = wire(op=Op.UPDATE, row=row)["after"]

    placeholder = "__debezium_unavailable_value"
    assert after == {
        **ROW,
        "a": placeholder,
        "b": Decimal("0.00"),
        "c": placeholder,
        "e": placeholder.encode(),
    }
    assert dict(ENCODER.headers(event))["steno.unchanged"] == b'["a","b","c","e"]'


def test_a_value_that_the_wire_cannot_hold_is_told_exactly_beside_it() -> None:
    row = {**ROW, "b": Unheld("NaN"), "c": Unheld("infinity")}

    assert wire(op=Op.UPDATE, row=row)["after"] == {**ROW, "b": Decimal("0.00"), "c": None}
    headers = dict(ENCODER.headers(change(Op.UPDATE, row, 1, table=TABLE)))
    assert headers["steno.text"] == b'{"b":"NaN","c":"infinity"}'


@pytest.mark.parametrize(("full", "said"), [(True, b"full"), (False, b"key")])
def test_the_header_says_how_much_of_a_before_image_is_real(full: bool, said: bytes) -> None:
    event = change(Op.UPDATE, ROW, 1, table=TABLE, before=ROW, before_is_full=full)

    assert ENCODER.headers(event) == (("steno.before", said),)


def test_a_key_change_is_told_in_debeziums_header() -> None:
    event = change(Op.CREATE, ROW, 1, table=TABLE, key_change=KeyChange.ARRIVED, related_key={"id": 0})

    assert ENCODER.headers(event) == (("__debezium.oldkey", b'{"id":0}'),)


def test_a_truncate_and_a_table_without_a_key_have_no_key() -> None:
    assert ENCODER.key(change(Op.TRUNCATE, None, 1, table=TABLE)) is None
    assert EventEncoder(LOG, None, 5).key(change(Op.CREATE, {"line": "a"}, 1, table=LOG)) is None


def test_a_commit_after_2262_keeps_its_microseconds() -> None:
    source = wire(op=Op.CREATE, row=ROW, committed_at=10**17)["source"]

    assert (source["ts_us"], source["ts_ns"]) == (10**17, None)


def test_a_datum_that_is_no_record_is_unreadable() -> None:
    with pytest.raises(RecordUnreadable):
        EnvelopeDecoder('"int"').decode(b"\0\0\0\0\1\2")


@pytest.mark.parametrize("schema", ["", "{", '{"type": "record"}', '{"type": "nonsense"}'])
def test_text_that_is_no_schema_is_unreadable(schema: str) -> None:
    with pytest.raises(RecordUnreadable):
        EnvelopeDecoder(schema)
