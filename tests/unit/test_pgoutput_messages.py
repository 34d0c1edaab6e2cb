"""The messages of logical replication, as the protocol's documentation lays them out."""

from __future__ import annotations

import struct

import pytest

from stenograph.sources.postgres.lsn import lsn_of, lsn_text
from stenograph.sources.postgres.messages import (
    POSTGRES_EPOCH,
    Begin,
    Commit,
    Delete,
    Insert,
    Message,
    NotSent,
    OldKind,
    Origin,
    Relation,
    RelationColumn,
    Truncate,
    Type,
    Update,
    decoded,
)


def values(*columns: bytes | str) -> bytes:
    """TupleData: bytes are a text value, a letter is a column without one."""
    parts = [struct.pack("!H", len(columns))]
    for column in columns:
        if isinstance(column, str):
            parts.append(column.encode())
        else:
            parts.append(b"t" + struct.pack("!I", len(column)) + column)
    return b"".join(parts)


def test_begin_and_commit_carry_lsn_time_and_xid() -> None:
    assert decoded(b"B" + struct.pack("!QqI", 0x16B374D848, 1_000_000, 767)) == Begin(
        0x16B374D848, POSTGRES_EPOCH + 1_000_000, 767
    )
    assert decoded(b"C\0" + struct.pack("!QQq", 10, 20, -1)) == Commit(10, 20, POSTGRES_EPOCH - 1)


def test_a_relation_names_its_columns_with_types() -> None:
    columns = b"\1id\0" + struct.pack("!Ii", 23, -1) + b"\0n\xc3\xa4me\0" + struct.pack("!Ii", 1700, 786438)
    payload = b"R" + struct.pack("!I", 16384) + b"public\0lead\0d" + struct.pack("!H", 2) + columns
    assert decoded(payload) == Relation(
        16384,
        "public",
        "lead",
        "d",
        (
            RelationColumn("id", 23, -1, in_identity=True),
            RelationColumn("näme", 1700, 786438, in_identity=False),
        ),
    )


def test_changes_carry_text_nulls_and_unchanged_values() -> None:
    oid = struct.pack("!I", 7)
    assert decoded(b"I" + oid + b"N" + values(b"1", "n", b"")) == Insert(7, (b"1", NotSent.NULL, b""))
    assert decoded(b"U" + oid + b"N" + values(b"1", "u")) == Update(7, None, None, (b"1", NotSent.UNCHANGED))
    assert decoded(b"U" + oid + b"K" + values(b"1", "n") + b"N" + values(b"2", b"x")) == Update(
        7, OldKind.KEY, (b"1", NotSent.NULL), (b"2", b"x")
    )
    assert decoded(b"D" + oid + b"O" + values(b"1", b"x")) == Delete(7, OldKind.FULL, (b"1", b"x"))


def test_truncate_names_all_its_relations() -> None:
    assert decoded(b"T" + struct.pack("!IBII", 2, 3, 7, 8)) == Truncate(
        (7, 8), cascade=True, restart_identity=True
    )


def test_messages_types_and_origins_are_read_too() -> None:
    message = b"M\1" + struct.pack("!Q", 99) + b"steno.mark\0" + struct.pack("!I", 2) + b"hi"
    assert decoded(message) == Message(True, 99, "steno.mark", b"hi")
    assert decoded(b"Y" + struct.pack("!I", 5) + b"public\0mood\0") == Type(5, "public", "mood")
    assert decoded(b"O" + struct.pack("!Q", 5) + b"elsewhere\0") == Origin(5, "elsewhere")


def test_a_message_of_another_protocol_version_is_refused() -> None:
    with pytest.raises(ValueError, match="protocol version 1"):
        decoded(b"S\0\0\0\1\1")


def test_an_lsn_is_read_and_written_as_postgres_does() -> None:
    assert lsn_of("16/B374D848") == 0x16B374D848
    assert lsn_text(0x16B374D848) == "16/B374D848"
    assert lsn_text(0) == "0/0"
