"""The pieces of compiled encoders: Avro bytes of integers, lengths and constants, and expressions that make them.

Knows Avro, and no source's text: what a value's text means is its source's knowledge. An expression made here is
Python source that needs the names of `NAMES`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import fastavro

from stenograph.envelope.codec import placeholder, zero
from stenograph.envelope.table import WireColumn, whole_type

_CHUNK: Final = 1 << 14
MORE: Final = [bytes((low & 127 | 128, low >> 7 | 128)) for low in range(_CHUNK)]
LAST: Final = [bytes((low,)) if low < 128 else bytes((low & 127 | 128, low >> 7)) for low in range(_CHUNK)]
"""Fourteen bits of a varint, as what is not its end and as its end."""
_TABLED: Final = 1 << 12


class NotSure(Exception):
    """A compiled encoder leaves the row to the reference codec. Never leaves the source's own modules."""


def long_bytes(number: int) -> bytes:
    """An Avro int or long: zigzag, then seven bits a byte."""
    number = number << 1 if number >= 0 else ~(number << 1)
    # As in `varint`: a call costs more than the lines.
    if number < _CHUNK:
        return LAST[number]
    if number < 1 << 28:
        return MORE[number & 16383] + LAST[number >> 14]
    return varint(number)


def varint(number: int) -> bytes:
    """A number that is not negative, seven bits a byte, the lowest first; two bytes are looked up at once."""
    if number < _CHUNK:
        return LAST[number]
    if number < 1 << 28:
        return MORE[number & 16383] + LAST[number >> 14]
    if number < 1 << 42:
        return MORE[number & 16383] + MORE[number >> 14 & 16383] + LAST[number >> 28]
    low = MORE[number & 16383] + MORE[number >> 14 & 16383] + MORE[number >> 28 & 16383]
    return low + varint(number >> 42)


def string_bytes(text: str) -> bytes:
    """An Avro string."""
    raw = text.encode()
    return long_bytes(len(raw)) + raw


@dataclass(frozen=True, slots=True)
class ColumnBytes:
    """A column's constant bytes in a row.

    `typed` stands before a value that is not null; `null` is None where the column takes none. `absent` is what
    stands where nothing is known of the column, `unchanged` where the source did not send it.
    """

    typed: bytes
    null: bytes | None
    absent: bytes
    unchanged: bytes
    write: Callable[[object], bytes]
    """Writes any wire value through the reference's own library; with `typed` before it."""


def column_bytes(column: WireColumn) -> ColumnBytes:
    """The constants, written by the library that the reference writes with."""
    schema: Any = fastavro.parse_schema(whole_type(column))

    def write(value: object) -> bytes:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, schema, value)
        return out.getvalue()

    typed = b"" if not column.nullable else b"\2" if column.default is None else b"\0"
    absent = zero(column)
    return ColumnBytes(
        typed=typed,
        null=write(None) if column.nullable else None,
        absent=write(absent),
        unchanged=write(placeholder(absent, column)),
        write=write,
    )


def of_bytes(typed: bytes, value: str, length: str) -> str:
    """The expression of an Avro string or bytes; `value` and `length` are expressions of the bytes and their number."""
    name = _SUFFIX[typed]
    more = f"{typed!r} + long_bytes({length})" if typed else f"long_bytes({length})"
    return f"(LENGTHS{name}[{length}] if {length} < {_TABLED} else {more}) + {value}"


def of_few_bytes(typed: bytes, value: str, length: str) -> str:
    """As `of_bytes`, where there cannot be as many as 4,096."""
    return f"LENGTHS{_SUFFIX[typed]}[{length}] + {value}"


def of_long(typed: bytes, number: str) -> str:
    """The expression of an Avro int or long; `number` is an expression of the int."""
    return f"{typed!r} + long_bytes({number})" if typed else f"long_bytes({number})"


def of_digits(typed: bytes, text: str) -> str:
    """The expression of an Avro int or long written in decimal digits; small ones are looked up by their text."""
    return f"INTEGERS{_SUFFIX[typed]}.get({text}) or {of_long(typed, f'int({text})')}"


_SUFFIX: Final = {b"": "", b"\0": "_0", b"\2": "_2"}


def _names() -> Mapping[str, object]:
    names: dict[str, object] = {"long_bytes": long_bytes}
    encoded = [long_bytes(number) for number in range(_TABLED)]
    for typed, suffix in _SUFFIX.items():
        names[f"LENGTHS{suffix}"] = [typed + each for each in encoded]
        names[f"INTEGERS{suffix}"] = {b"%d" % n: typed + each for n, each in enumerate(encoded)}
    return names


NAMES: Final = _names()
"""What the expressions refer to: tables of lengths and of small integers' texts, and functions."""
