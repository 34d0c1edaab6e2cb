"""Digests that let two readings of the same rows be compared without holding either.

Not a defence against somebody who forges rows: it finds loss, doubling and change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa


def canonical(value: object) -> str:
    """The value as a text that no other value of the column has; numbers that are equal have one."""
    match value:
        case None:
            return "~"
        case bool():
            return "t" if value else "f"
        case float():
            return value.hex()
        case Decimal():
            return f"d{_without_trailing_zeros(value)}"
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return f"i{value // timedelta(microseconds=1)}"
        case bytes():
            return f"b{value.hex()}"
        case list() | tuple():
            return "[" + _joined(value) + "]"
        case _:
            return f"s{value!s}"


def _joined(values: Iterable[object]) -> str:
    """Every value after its own length, so that no text can look like two."""
    return "".join(f"{len(text)}:{text}" for text in map(canonical, values))


def _without_trailing_zeros(value: Decimal) -> str:
    # Decimal's own `normalize` rounds to 28 digits.
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def row_digest(values: Sequence[object]) -> bytes:
    """Sixteen bytes that differ when any value does; values are what Arrow's `to_pylist` gives.

    Two readings must give the same Python types: a UUID as text on both sides, a decimal of one scale.
    """
    return hashlib.blake2b(_joined(values).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def plain_rows(table: pa.Table) -> Iterator[tuple[object, ...]]:
    """The rows as Python values; temporal columns as whole numbers, which have no calendar to end."""
    columns = []
    for column in table.columns:
        whole = pa.int32() if pa.types.is_date32(column.type) else pa.int64()
        plain = column.cast(whole) if pa.types.is_temporal(column.type) else column
        columns.append(plain.to_pylist())
    return zip(*columns, strict=True)
