"""Wire values as history columns hold them, type by type.

Temporal values stay whole numbers (days, microseconds) as Arrow stores them: Python's own dates end at year 9999.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast
from uuid import UUID

from stenograph.errors import ValueOutOfRange
from stenograph.schemas import AvroType, ColumnType, Kind, column_type, decimal_of, nullable_of

Convert = Callable[[object], object]
"""From a wire value that is not null to what Arrow takes for the column."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SENTINELS = {2**63 - 1, -(2**63), 9223372036825200000, -9223372036832400000}
"""Longs that stand for an infinite date or timestamp."""
_ZONED_SENTINELS = {"+294247-01-10T04:00:25.200000Z", "-290308-12-21T19:59:27.600000Z"}
_FAR = re.compile(r"([+-]?[0-9]{4,6})(-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,6}))?Z")
_MICROS = range(-(2**63) + 2, 2**63 - 1)
_DAY_MICROS = range(86_400_000_000 + 1)
"""24:00:00 is a time of day in SQL."""
_WHOLE = {
    Kind.INT16: range(-(2**15), 2**15),
    Kind.INT32: range(-(2**31), 2**31),
    Kind.INT64: range(-(2**63), 2**63),
}
_LONGEST_SCALE = 200_000
"""More digits than any database's exact number has; a larger scale is damage, and would fill the memory."""


def converter(avro: AvroType) -> Convert:
    """The conversion for a non-null Avro type; raises UnknownAvroType where `column_type` does.

    The conversion raises ValueOutOfRange for a value that the column's type cannot hold.
    """
    of = column_type(avro)
    semantic = avro.get("connect.name") if isinstance(avro, Mapping) else None
    logical = avro.get("logicalType") if isinstance(avro, Mapping) else None
    match of.kind:
        case Kind.DECIMAL:
            return _decimal(of)
        case Kind.NUMBER_TEXT:
            return _number_text
        case Kind.TIMESTAMP | Kind.TIMESTAMPTZ if semantic == "io.debezium.time.ZonedTimestamp":
            return _zoned
        case Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            return _micros("timestamp", 1000 if _in_millis(semantic, logical) else 1, _MICROS)
        case Kind.TIME:
            return _micros("time", 1000 if _in_millis(semantic, logical) else 1, _DAY_MICROS)
        case Kind.DATE:
            return _day
        case Kind.JSON if isinstance(avro, Mapping) and avro.get("type") in ("record", "map"):
            return _json
        case Kind.JSON:
            return _json_text
        case Kind.UUID:
            return _uuid
        case Kind.INT16 | Kind.INT32 | Kind.INT64:
            return _whole(of)
        case Kind.LIST:
            items = cast(Mapping[str, object], avro)["items"]
            element, _ = nullable_of(cast(AvroType, items))
            return _list(converter(element))
        case _:
            return _same


def _in_millis(semantic: object, logical: object) -> bool:
    return semantic in {
        "io.debezium.time.Timestamp",
        "io.debezium.time.Time",
        "org.apache.kafka.connect.data.Timestamp",
        "org.apache.kafka.connect.data.Time",
    } or (isinstance(logical, str) and logical.endswith("-millis"))


def _same(value: object) -> object:
    return value


def _out_of_range(of: str) -> ValueOutOfRange:
    return ValueOutOfRange(
        f"A {of} in this record is one that the history column cannot hold.",
        hint="The record is in quarantine with its exact bytes; change the column's type in the source or the model.",
        type=of,
    )


def _decimal(of: ColumnType) -> Convert:
    whole = (of.precision or 0) - (of.scale or 0)

    def convert(value: object) -> object:
        # Compared by digits: Decimal's own arithmetic rounds to 28 of them.
        if not isinstance(value, Decimal) or not value.is_finite() or (value and value.adjusted() >= whole):
            raise _out_of_range(str(of))
        return value

    return convert


def _number_text(value: object) -> object:
    if isinstance(value, Mapping):
        scale = cast(int, value["scale"])
        if abs(scale) > _LONGEST_SCALE:
            raise _out_of_range("number")
        value = decimal_of(cast(bytes, value["value"]), scale)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)


def _whole(of: ColumnType) -> Convert:
    allowed = _WHOLE[of.kind]

    def convert(value: object) -> object:
        if value not in allowed:
            raise _out_of_range(str(of))
        return value

    return convert


def _micros(of: str, factor: int, allowed: range) -> Convert:
    def convert(value: object) -> object:
        if not isinstance(value, int) or value * factor in _SENTINELS or value * factor not in allowed:
            raise _out_of_range(of)
        return value * factor

    return convert


def _zoned(value: object) -> object:
    try:
        span = datetime.fromisoformat(cast(str, value)) - _EPOCH
    except (ValueError, TypeError, OverflowError):
        # TypeError: an instant without its zone is none.
        return _far(value)
    return (span.days * 86400 + span.seconds) * 1_000_000 + span.microseconds


def _far(value: object) -> int:
    """An instant of a year below 1 or above 9999, in ISO 8601's signed form: the calendar repeats every 400 years."""
    found = _FAR.fullmatch(value) if isinstance(value, str) and value not in _ZONED_SENTINELS else None
    if found is None:
        raise _out_of_range("timestamp with time zone")
    year, fraction = int(found[1]), (found[3] or "").ljust(6, "0")
    near = 2000 + year % 400
    try:
        span = datetime.fromisoformat(f"{near}{found[2]}+00:00") - _EPOCH
    except ValueError:
        raise _out_of_range("timestamp with time zone") from None
    days = span.days + (year - near) // 400 * 146_097
    micros = (days * 86400 + span.seconds) * 1_000_000 + int(fraction)
    if micros not in _MICROS:
        raise _out_of_range("timestamp with time zone")
    return micros


def _day(value: object) -> object:
    if not isinstance(value, int) or not -(2**31) + 1 < value < 2**31 - 1:
        raise _out_of_range("date")
    return value


def _json(value: object) -> object:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_jsonable)


def _json_text(value: object) -> object:
    try:
        parsed = json.loads(cast(str, value), parse_constant=_refused)
        if "\\u" in cast(str, value):
            # Half a surrogate pair is JSON to Postgres and no text to anybody else.
            json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise _out_of_range("JSON text") from None
    return value


def _refused(constant: str) -> object:
    raise ValueError(constant)


def _uuid(value: object) -> object:
    try:
        canonical = str(UUID(cast(str, value)))
    except ValueError:
        canonical = ""
    if canonical != cast(str, value).lower():
        raise _out_of_range("UUID")
    # In lower case, as a warehouse gives it back.
    return canonical


def _jsonable(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else str(value)


def _list(convert: Convert) -> Convert:
    def convert_all(value: object) -> object:
        return [None if item is None else convert(item) for item in cast(Sequence[object], value)]

    return convert_all
