"""Python source that turns a value's text into its Avro bytes, one emitter per type.

Handles the text that Postgres writes every day, and raises in the generated code whatever else comes; the reference
codec then decides. A type that has no emitter is read and written value by value as the reference does.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from struct import Struct
from typing import Any, TypeVar, cast

from stenograph.envelope import emitters
from stenograph.envelope.codec import written_as
from stenograph.envelope.emitters import (
    ColumnBytes,
    NotSure,
    long_bytes,
    of_bytes,
    of_digits,
    of_few_bytes,
    of_long,
)
from stenograph.envelope.headers import Unheld
from stenograph.envelope.table import WireColumn
from stenograph.sources.postgres import values
from stenograph.sources.postgres.values import Read

Write = Callable[[bytes], bytes]
"""From a value's text to its bytes in a row."""

_REMEMBERED = 1 << 14


@dataclass(frozen=True, slots=True)
class Emission:
    """How one column's bytes are made.

    `lines` use `s` and `n`, the text and its length, and leave the bytes in `{c}`; `names` are what they refer to.
    `may_hold_backslash` says that COPY may have escaped the text.
    """

    lines: tuple[str, ...]
    names: Mapping[str, object] = field(default_factory=dict)
    may_hold_backslash: bool = False


def emission_of(place: int, column: WireColumn, read: Read, constant: ColumnBytes) -> Emission:
    """The emission of the column at `place`, which keeps the names of columns apart."""
    typed = constant.typed
    if read is int:
        return Emission((f"{{c}} = {of_digits(typed, 's')}",))
    if read is float:
        single = column.avro == "float"
        return Emission((f"{{c}} = {typed!r} + {'FLOAT' if single else 'DOUBLE'}(float(s))",))
    simple = _SIMPLE.get(read)
    if simple is not None:
        return simple(typed)
    if isinstance(read, values.Zoned):
        return _zoned(typed, read.digits)
    if read is values.decimal and isinstance(column.avro, Mapping):
        scale, precision = int(str(column.avro["scale"])), int(str(column.avro["precision"]))
        return _decimal(typed, precision, scale)
    name = f"write_{place}"
    names = {name: _reference(read, column, constant)}
    return Emission((f"{{c}} = {name}(s)",), names, may_hold_backslash=True)


def value_function(of: Emission) -> Write:
    """A function for one value alone, which raises what the lines raise."""
    lines = ("def write(s):", "n = len(s)", *(line.format(c="c") for line in of.lines), "return c")
    names = {**emitters.NAMES, **NAMES, **of.names}
    # As in `compiled`: no name or value of the database is in the text.
    exec(compile("\n    ".join(lines), "<generated for one value>", "exec"), names)  # noqa: S102
    return cast(Write, names["write"])


def _text(typed: bytes) -> Emission:
    return Emission((f"{{c}} = {of_bytes(typed, 's', 'n')}",), may_hold_backslash=True)


def _boolean(typed: bytes, yes: bytes = b"t") -> Emission:
    return Emission((f"{{c}} = {typed + bytes((1,))!r} if s == {yes!r} else {typed + bytes((0,))!r}",))


def _bytea(typed: bytes) -> Emission:
    return Emission(
        ("v = unhex(s[2:])", f"{{c}} = {of_bytes(typed, 'v', 'len(v)')}"), may_hold_backslash=True
    )


def _decimal(typed: bytes, precision: int, scale: int) -> Emission:
    checked = (f"if s[-{scale + 1}] != 46: raise NotSure", "v = int(s.replace(DOT, NONE))")
    limit = f"LIMIT_{precision}"
    return Emission(
        (
            *(checked if scale else ("v = int(s)",)),
            # A text that long may hold more digits than the schema allows, or a sign or a zero before the point.
            f"if n > {precision + bool(scale)} and not -{limit} < v < {limit}: raise NotSure",
            "k = ((v if v >= 0 else ~v).bit_length() >> 3) + 1",
            f"{{c}} = {of_few_bytes(typed, 'v.to_bytes(k, BIG, signed=True)', 'k')}",
        ),
        {limit: 10**precision},
    )


def _variable_decimal(typed: bytes) -> Emission:
    return Emission(
        (
            "k = s.find(46)",
            f"{{c}} = {of_long(typed, '0 if k < 0 else n - 1 - k')}",
            "v = int(s) if k < 0 else int(s.replace(DOT, NONE))",
            "k = ((v if v >= 0 else ~v).bit_length() >> 3) + 1",
            f"{{c}} += {of_bytes(b'', 'v.to_bytes(k, BIG, signed=True)', 'k')}",
        )
    )


def _date(typed: bytes) -> Emission:
    name = f"DATES_{typed.hex()}"
    return Emission((f"{{c}} = {name}[s]",), {name: Remembered(lambda s: typed + long_bytes(values.date(s)))})


def _micros(typed: bytes) -> Emission:
    return Emission(
        (f"{{c}} = {of_long(typed, 'MINUTE[s[:16]] + int(s[17:].replace(DOT, NONE)) * SECOND[n]')}",)
    )


def _millis(typed: bytes) -> Emission:
    number = "(MINUTE[s[:16]] + int(s[17:].replace(DOT, NONE)) * SECOND[n]) // 1000"
    return Emission((f"{{c}} = {of_long(typed, number)}",))


def _time_micros(typed: bytes) -> Emission:
    number = "MINUTE_OF_DAY[s[:5]] + int(s[6:].replace(DOT, NONE)) * SECOND[n + 11]"
    return Emission((f"{{c}} = {of_long(typed, number)}",))


def _zoned(typed: bytes, digits: int) -> Emission:
    rests = {22: b"." + b"0" * digits + b"Z" if digits else b"Z"}
    rests |= {23 + given: b"0" * (digits - given) + b"Z" for given in range(1, digits + 1)}
    begin = typed + long_bytes(20 + digits + bool(digits))

    def day(text: bytes) -> bytes:
        # ValueError for a day that does not fit: what follows is no time of day then.
        values.instant(text + b"00:00:00")
        return begin + text[:10] + b"T"

    days, ends = f"DAYS_{begin.hex()}", f"ENDS_{digits}"
    return Emission(
        ("if s[-3:] != ZULU: raise NotSure", f"{{c}} = {days}[s[:11]] + s[11:-3] + {ends}[n]"),
        {days: Remembered(day), ends: rests},
    )


_SIMPLE: Mapping[Read, Callable[[bytes], Emission]] = {
    values.text: _text,
    values.boolean: _boolean,
    values.bit: partial(_boolean, yes=b"1"),
    values.hexadecimal: _bytea,
    values.variable_decimal: _variable_decimal,
    values.date: _date,
    values.micros: _micros,
    values.millis: _millis,
    values.time_micros: _time_micros,
}


def _reference(read: Read, column: WireColumn, constant: ColumnBytes) -> Write:
    def write(text: bytes) -> bytes:
        value = read(text)
        if isinstance(value, Unheld):
            raise NotSure
        return constant.write(written_as(value, column.avro))

    return write


K = TypeVar("K")


class Remembered(dict[K, Any]):
    """What a function makes of keys that come again and again, of so many at most."""

    def __init__(self, made: Callable[[K], object]) -> None:
        super().__init__()
        self._made = made

    def __missing__(self, key: K) -> object:
        made = self._made(key)
        if len(self) >= _REMEMBERED:
            self.clear()
        self[key] = made
        return made


NAMES: Mapping[str, object] = {
    "NotSure": NotSure,
    "FLOAT": Struct("<f").pack,
    "DOUBLE": Struct("<d").pack,
    "BIG": "big",
    "DOT": b".",
    "NONE": b"",
    "ZULU": b"+00",
    "unhex": binascii.unhexlify,
    "MINUTE": Remembered(lambda s: values.instant(s + b":00")),
    "MINUTE_OF_DAY": Remembered(lambda s: values.time_micros(s + b":00")),
    # By the length of a timestamp's text: what one unit of its last digit is worth in microseconds.
    "SECOND": {19: 1_000_000} | {20 + digits: 10 ** (6 - digits) for digits in range(1, 7)},
}
"""What every emission's lines may refer to, besides those of `envelope.emitters`."""
