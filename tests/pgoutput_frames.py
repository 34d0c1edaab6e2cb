"""Frames of the replication stream and lines of COPY, written as Postgres writes them.

Only for tests: values are given as the text that a type's output function makes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from struct import pack

from stenograph.sources.postgres.messages import NotSent

Values = Sequence[bytes | NotSent]
"""A row's values as text."""

_ESCAPES = {
    b"\\": rb"\\",
    b"\b": rb"\b",
    b"\f": rb"\f",
    b"\n": rb"\n",
    b"\r": rb"\r",
    b"\t": rb"\t",
    b"\v": rb"\v",
}


def insert_frame(lsn: int, oid: int, new: Values) -> bytes:
    """XLogData with an Insert."""
    return _data(lsn, b"I" + pack("!I", oid) + b"N" + _tuple(new))


def update_frame(lsn: int, oid: int, new: Values, old: Values | None = None, kind: bytes = b"O") -> bytes:
    """XLogData with an Update; `kind` is K or O where there is an old row."""
    before = b"" if old is None else kind + _tuple(old)
    return _data(lsn, b"U" + pack("!I", oid) + before + b"N" + _tuple(new))


def delete_frame(lsn: int, oid: int, old: Values, kind: bytes) -> bytes:
    """XLogData with a Delete."""
    return _data(lsn, b"D" + pack("!I", oid) + kind + _tuple(old))


def copy_line(values: Values) -> bytes:
    """A line of COPY's text format."""
    return b"\t".join(rb"\N" if v is NotSent.NULL else _escaped(v) for v in values) + b"\n"


def _escaped(value: bytes | NotSent) -> bytes:
    assert isinstance(value, bytes)
    return re.sub(rb"[\\\x08\x0c\n\r\t\x0b]", lambda found: _ESCAPES[found[0]], value)


def _data(lsn: int, message: bytes) -> bytes:
    return b"w" + pack("!QQq", lsn, lsn + 8, 0) + message


def _tuple(values: Values) -> bytes:
    parts = [pack("!H", len(values))]
    for value in values:
        parts.append(
            b"t" + pack("!I", len(value)) + value if isinstance(value, bytes) else value.value.encode()
        )
    return b"".join(parts)
