"""Digests that let two readings of the same rows be compared without holding either.

Not a defence against somebody who forges rows: it finds loss, doubling and change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa


def _canonical(value: object) -> str:
    match value:
        case None:
            return "~"
        case bool():
            return "t" if value else "f"
        case float():
            return value.hex()
        case Decimal():
            return f"d{value.normalize():f}"
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return f"i{value // timedelta(microseconds=1)}"
        case bytes():
            return f"b{value.hex()}"
        case list() | tuple():
            return "[" + ",".join(_canonical(item) for item in value) + "]"
        case _:
            return f"s{value!s}"


def row_digest(values: Sequence[object]) -> bytes:
    """Sixteen bytes that differ when any value does; values are what Arrow's `to_pylist` gives.

    Two readings must give the same Python types: a UUID as text on both sides, a decimal of one scale.
    """
    text = "\x1f".join(_canonical(value) for value in values)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def span_digest(rows: Iterable[tuple[int, str | None, bytes]]) -> str:
    """Hex digest over (offset, order as hex, key digest) of a span's stored rows, in offset order."""
    state = hashlib.blake2b(digest_size=16)
    for offset, order, key in rows:
        state.update(f"{offset}\x1f{order or ''}\x1f".encode())
        state.update(key)
    return state.hexdigest()


def plain_rows(table: pa.Table) -> Iterator[tuple[object, ...]]:
    """The rows as Python values; temporal columns as whole numbers, which have no calendar to end."""
    columns = []
    for column in table.columns:
        if pa.types.is_temporal(column.type):
            column = column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64())
        columns.append(column.to_pylist())
    return zip(*columns, strict=True)
