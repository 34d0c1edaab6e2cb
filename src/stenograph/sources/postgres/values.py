"""Postgres's text output as wire values, one function per type.

Reads the text of the session that `session` sets up and no other. A value that the wire's type cannot hold becomes
`Unheld`, never another value.
https://www.postgresql.org/docs/current/datatype.html
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from stenograph.envelope.headers import Unheld

Read = Callable[[bytes], object]
"""From a value's text, as UTF-8 bytes, to the wire value."""

_LONG = range(-(2**63), 2**63)
_DAY = 86_400_000_000
_MONTH = 2_629_800_000_000
"""Debezium's month of 365.25 / 12 days, in microseconds."""
_DATE = re.compile(r"(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?(?:\+00)?( BC)?")
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?")
_INTERVAL = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?"
    r"(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d+)(?:\.(\d{1,6}))?S)?)?"
)


def text(raw: bytes) -> str:
    """Text as it is."""
    return raw.decode()


def boolean(raw: bytes) -> bool:
    """`t` or `f`."""
    return raw == b"t"


def bit(raw: bytes) -> bool:
    """One bit alone, which Debezium writes as a boolean."""
    return raw == b"1"


def bits(raw: bytes) -> bytes:
    """A bit string as Debezium's Bits: little endian, without trailing zero bytes, so its length is lost."""
    number = int(raw or b"0", 2)
    return number.to_bytes((number.bit_length() + 7) // 8, "little")


def hexadecimal(raw: bytes) -> bytes:
    r"""Bytea as `\x0aff`."""
    return bytes.fromhex(raw[2:].decode())


def variable_decimal(raw: bytes) -> object:
    """A numeric of any scale as Debezium's VariableScaleDecimal; NaN and the infinities are Unheld."""
    number = Decimal(raw.decode())
    if not number.is_finite():
        return Unheld(raw.decode())
    sign, digits, exponent = number.as_tuple()
    unscaled = int("".join(map(str, digits)) or "0")
    if isinstance(exponent, int) and exponent > 0:
        unscaled *= 10**exponent
    scale = max(0, -exponent) if isinstance(exponent, int) else 0
    return {"scale": scale, "value": _big_endian(-unscaled if sign else unscaled)}


def decimal(raw: bytes) -> object:
    """numeric(p,s); NaN is Unheld, because Avro's decimal has no such value."""
    number = Decimal(raw.decode())
    return number if number.is_finite() else Unheld(raw.decode())


def money(raw: bytes) -> Decimal:
    """Money of the C locale: `$1,234.56`, `-$0.01`."""
    plain = re.sub(r"[^0-9.]", "", raw.decode())
    number = Decimal(plain)
    return -number if b"-" in raw or b"(" in raw else number


def date(raw: bytes) -> int:
    """Days since 1970; the infinities are the largest and the smallest int, as Debezium has it."""
    match raw:
        case b"infinity":
            return 2**31 - 1
        case b"-infinity":
            return -(2**31)
        case _:
            return _instant(raw.decode()) // _DAY


def micros(raw: bytes) -> object:
    """Timestamp as µs since 1970; the infinities are Debezium's sentinels, and what a long cannot count is Unheld."""
    number = instant(raw)
    return number if number in _LONG else Unheld(raw.decode())


def millis(raw: bytes) -> int:
    """timestamp(0) to timestamp(3) as ms since 1970; the infinities are Debezium's sentinels."""
    return instant(raw) // 1000


def instant(raw: bytes) -> int:
    """Timestamp as µs since 1970, the last years of Postgres's calendar beyond a long."""
    return _SENTINELS.get(raw) or _instant(raw.decode())


_SENTINELS = {b"infinity": 9223372036825200000, b"-infinity": -9223372036832400000}
_ZONED_SENTINELS = {
    b"infinity": "+294247-01-10T04:00:25.200000Z",
    b"-infinity": "-290308-12-21T19:59:27.600000Z",
}


@dataclass(frozen=True, slots=True)
class Zoned:
    """Timestamptz as `2024-07-01T12:00:00.100000Z`, the fraction padded to the column's digits."""

    digits: int

    def __call__(self, raw: bytes) -> str:
        """The text; ValueError for one that is no timestamptz in UTC."""
        if raw in _ZONED_SENTINELS:
            return _ZONED_SENTINELS[raw]
        found = _DATE.fullmatch(raw.decode())
        if found is None:
            raise ValueError("not a timestamptz")
        year, month, day, hour, minute, second, fraction, bc = found.groups()
        number = 1 - int(year) if bc else int(year)
        shown = f"-{-number:04d}" if number < 0 else f"+{number}" if number > 9999 else f"{number:04d}"
        rest = f".{(fraction or '').ljust(self.digits, '0')}" if self.digits else ""
        return f"{shown}-{month}-{day}T{hour}:{minute}:{second}{rest}Z"


def time_micros(raw: bytes) -> int:
    """Time as µs of the day; 24:00:00 is a day's length."""
    return _time_of_day(raw.decode())


def time_millis(raw: bytes) -> int:
    """time(0) to time(3) as ms of the day."""
    return _time_of_day(raw.decode()) // 1000


def zoned_time(raw: bytes) -> str:
    """Timetz as the time of day in UTC: `07:04:56Z`; the zone it was written in is lost, as with Debezium."""
    shown = raw.decode()
    if shown.startswith("24:00:00"):
        return f"{shown[:8]}Z"
    found = _TIME.fullmatch(shown)
    if found is None:
        raise ValueError("not a timetz")
    sign, hours, minutes, seconds = found.groups()[4:]
    offset = (int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)) * 1_000_000
    at = (_time_of_day(shown) - (offset if sign == "+" else -offset)) % _DAY
    whole, fraction = divmod(at, 1_000_000)
    rest = f".{fraction:06d}".rstrip("0") if fraction else ""
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{rest}Z"


def interval(raw: bytes) -> object:
    """Interval as µs with Debezium's average month; infinite ones and those beyond a long are Unheld."""
    found = _INTERVAL.fullmatch(raw.decode())
    if found is None:
        return Unheld(raw.decode())
    years, months, weeks, days, hours, minutes, sign, seconds, fraction = found.groups()
    part = int(seconds or 0) * 1_000_000 + int((fraction or "").ljust(6, "0"))
    total = (
        (int(years or 0) * 12 + int(months or 0)) * _MONTH
        + (int(weeks or 0) * 7 + int(days or 0)) * _DAY
        + (int(hours or 0) * 60 + int(minutes or 0)) * 60_000_000
        + (-part if sign else part)
    )
    return total if total in _LONG else Unheld(raw.decode())


def point(raw: bytes) -> dict[str, object]:
    """Point as Debezium's: x, y and the well-known binary."""
    x, y = (float(part) for part in raw[1:-1].split(b","))
    return {"x": x, "y": y, "wkb": struct.pack("<BIdd", 1, 1, x, y), "srid": None}


def array(element: Read, delimiter: str) -> Read:
    """An array of one dimension as a list; one of more dimensions is Unheld, its lower bound is lost."""

    def read(raw: bytes) -> object:
        shown = raw.decode()
        body = shown[shown.index("{") :]
        if body.startswith("{{"):
            return Unheld(shown)
        items: list[object] = []
        for item in _items(body, delimiter):
            value = None if item is None else element(item.encode())
            if isinstance(value, Unheld):
                return Unheld(shown)
            items.append(value)
        return items

    return read


def _items(body: str, delimiter: str) -> list[str | None]:
    items: list[str | None] = []
    place, end = 1, len(body) - 1
    while place < end:
        if body[place] == '"':
            start = place + 1
            place = start
            while body[place] != '"':
                place += 2 if body[place] == "\\" else 1
            items.append(re.sub(r"\\(.)", r"\1", body[start:place], flags=re.DOTALL))
            place += 2
        else:
            stop = body.find(delimiter, place)
            stop = end if stop < 0 else stop
            item = body[place:stop]
            items.append(None if item == "NULL" else item)
            place = stop + 1
    return items


def _time_of_day(shown: str) -> int:
    found = _TIME.fullmatch(shown)
    if found is None:
        raise ValueError("not a time")
    hour, minute, second, fraction = found.groups()[:4]
    whole = int(hour) * 3600 + int(minute) * 60 + int(second)
    return whole * 1_000_000 + int((fraction or "").ljust(6, "0"))


def _instant(shown: str) -> int:
    found = _DATE.fullmatch(shown)
    if found is None:
        raise ValueError("not a date or timestamp")
    year, month, day, hour, minute, second, fraction, bc = found.groups()
    days = _days(1 - int(year) if bc else int(year), int(month), int(day))
    whole = days * 86_400 + int(hour or 0) * 3600 + int(minute or 0) * 60 + int(second or 0)
    return whole * 1_000_000 + int((fraction or "").ljust(6, "0"))


def _days(year: int, month: int, day: int) -> int:
    # Years begin in March, so that the leap day is the last one; Python's own dates end at 1 and 9999.
    year -= month <= 2
    era, of_era = divmod(year, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + day_of_year - 719_468


def _big_endian(number: int) -> bytes:
    return number.to_bytes(((number if number >= 0 else ~number).bit_length() >> 3) + 1, "big", signed=True)
