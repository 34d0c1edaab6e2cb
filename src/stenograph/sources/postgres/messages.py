"""The messages of logical replication, protocol version 1 with text values, decoded one by one.

Interprets no value: a tuple's columns stay the bytes that the type's output function wrote.
https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from struct import Struct

POSTGRES_EPOCH = 946_684_800_000_000
"""2000-01-01 in microseconds since 1970 UTC: where Postgres's own clock begins."""

_BEGIN = Struct("!QqI")
_COMMIT = Struct("!BQQq")
_U16 = Struct("!H")
_U32 = Struct("!I")
_U64 = Struct("!Q")
_TYPE = Struct("!Ii")


class NotSent(Enum):
    """A column of a tuple that came without bytes."""

    NULL = "n"
    """The value is null. In an old tuple of kind key it only means that the column is not of the key."""
    UNCHANGED = "u"
    """A TOASTed value that the change did not touch."""


TupleData = tuple[bytes | NotSent, ...]
"""A row's columns in the relation's order."""


class OldKind(Enum):
    """What an update's or delete's old tuple holds."""

    KEY = "K"
    """The replica identity's columns only."""
    FULL = "O"
    """Every column: the table has REPLICA IDENTITY FULL."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction starts: `final_lsn` is where its commit record stands, time in µs since 1970 UTC."""

    final_lsn: int
    committed_at: int
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """It ends: everything before `end_lsn` has been sent."""

    commit_lsn: int
    end_lsn: int
    committed_at: int


@dataclass(frozen=True, slots=True)
class Origin:
    """The transaction was replicated into this server from another."""

    commit_lsn: int
    name: str


@dataclass(frozen=True, slots=True)
class RelationColumn:
    """A column as a Relation message has it; `in_identity` follows the replica identity, not the primary key."""

    name: str
    type_oid: int
    typmod: int
    in_identity: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """The shape of a table from here on. `identity` is pg_class.relreplident: d, n, f or i.

    It comes before the table's first change and after anything that may have changed it; often nothing did.
    """

    oid: int
    schema: str
    name: str
    identity: str
    columns: tuple[RelationColumn, ...]


@dataclass(frozen=True, slots=True)
class Type:
    """The name of a type that a column uses and that is not built in; nothing of its definition."""

    oid: int
    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class Insert:
    """A row was inserted."""

    relation: int
    new: TupleData


@dataclass(frozen=True, slots=True)
class Update:
    """A row was updated; `old` only if the identity's columns changed or the identity is FULL."""

    relation: int
    old_kind: OldKind | None
    old: TupleData | None
    new: TupleData


@dataclass(frozen=True, slots=True)
class Delete:
    """A row was deleted."""

    relation: int
    old_kind: OldKind
    old: TupleData


@dataclass(frozen=True, slots=True)
class Truncate:
    """Tables were emptied at once."""

    relations: tuple[int, ...]
    cascade: bool
    restart_identity: bool


@dataclass(frozen=True, slots=True)
class Message:
    """What `pg_logical_emit_message` wrote. One that is not transactional comes between transactions."""

    transactional: bool
    lsn: int
    prefix: str
    content: bytes


ReplicationMessage = Begin | Commit | Origin | Relation | Type | Insert | Update | Delete | Truncate | Message


def decoded(payload: bytes) -> ReplicationMessage:
    """The message in an XLogData payload; ValueError where it is none of protocol version 1."""
    match payload[:1]:
        case b"I":
            return Insert(_U32.unpack_from(payload, 1)[0], _tuple(payload, 6)[0])
        case b"U":
            return _update(payload)
        case b"D":
            old, _ = _tuple(payload, 6)
            return Delete(_U32.unpack_from(payload, 1)[0], OldKind(chr(payload[5])), old)
        case b"B":
            final_lsn, committed_at, xid = _BEGIN.unpack_from(payload, 1)
            return Begin(final_lsn, committed_at + POSTGRES_EPOCH, xid)
        case b"C":
            _, commit_lsn, end_lsn, committed_at = _COMMIT.unpack_from(payload, 1)
            return Commit(commit_lsn, end_lsn, committed_at + POSTGRES_EPOCH)
        case b"R":
            return _relation(payload)
        case b"T":
            (count,) = _U32.unpack_from(payload, 1)
            relations = Struct(f"!{count}I").unpack_from(payload, 6)
            return Truncate(tuple(relations), bool(payload[5] & 1), bool(payload[5] & 2))
        case b"M":
            (lsn,) = _U64.unpack_from(payload, 2)
            prefix, place = _text(payload, 10)
            (length,) = _U32.unpack_from(payload, place)
            return Message(bool(payload[1] & 1), lsn, prefix, payload[place + 4 : place + 4 + length])
        case b"Y":
            schema, place = _text(payload, 5)
            return Type(_U32.unpack_from(payload, 1)[0], schema, _text(payload, place)[0])
        case b"O":
            return Origin(_U64.unpack_from(payload, 1)[0], _text(payload, 9)[0])
        case letter:
            raise ValueError(f"not a message of protocol version 1: {letter!r}")


def _update(payload: bytes) -> Update:
    (relation,) = _U32.unpack_from(payload, 1)
    letter = chr(payload[5])
    if letter == "N":
        return Update(relation, None, None, _tuple(payload, 6)[0])
    old, place = _tuple(payload, 6)
    return Update(relation, OldKind(letter), old, _tuple(payload, place + 1)[0])


def _relation(payload: bytes) -> Relation:
    (oid,) = _U32.unpack_from(payload, 1)
    schema, place = _text(payload, 5)
    name, place = _text(payload, place)
    identity = chr(payload[place])
    (count,) = _U16.unpack_from(payload, place + 1)
    place += 3
    columns = []
    for _ in range(count):
        flags = payload[place]
        column, place = _text(payload, place + 1)
        type_oid, typmod = _TYPE.unpack_from(payload, place)
        place += _TYPE.size
        columns.append(RelationColumn(column, type_oid, typmod, bool(flags & 1)))
    # The catalogue's own schema comes as an empty name.
    return Relation(oid, schema or "pg_catalog", name, identity, tuple(columns))


def _tuple(payload: bytes, place: int) -> tuple[TupleData, int]:
    (count,) = _U16.unpack_from(payload, place)
    place += 2
    values: list[bytes | NotSent] = []
    for _ in range(count):
        kind = payload[place]
        place += 1
        if kind == _TEXT:
            (length,) = _U32.unpack_from(payload, place)
            place += 4 + length
            values.append(payload[place - length : place])
        else:
            # A binary value never comes: we do not ask for it.
            values.append(NotSent(chr(kind)))
    return tuple(values), place


_TEXT = ord("t")


def _text(payload: bytes, place: int) -> tuple[str, int]:
    end = payload.index(0, place)
    return payload[place:end].decode(), end + 1
