"""History values as JSON text: for columns outside a model, before images and keys of key changes.

Exact: numbers that JSON readers round, instants and bytes are written as text; JSON columns stay as they were.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from stenograph.schemas import ColumnType, Kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def json_text(value: object, of: ColumnType) -> str:
    """One history value as a JSON text; instants and dates in ISO 8601, bytes in hex."""
    match of.kind:
        case _ if value is None:
            return "null"
        case Kind.JSON:
            return cast(str, value)
        case Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            return quoted(_instant(cast(int, value), of.kind))
        case Kind.DATE:
            return quoted(_day(cast(int, value)))
        case Kind.BYTES:
            return quoted(cast(bytes, value).hex())
        case Kind.FLOAT32 | Kind.FLOAT64 if not math.isfinite(cast(float, value)):
            return quoted(str(value))
        case Kind.BOOLEAN | Kind.INT16 | Kind.INT32 | Kind.INT64 | Kind.FLOAT32 | Kind.FLOAT64:
            return json.dumps(value)
        case Kind.TIME | Kind.DURATION:
            return quoted(str(timedelta(microseconds=cast(int, value))))
        case Kind.LIST if of.element is not None:
            element = of.element
            return "[" + ",".join(json_text(item, element) for item in cast(Sequence[object], value)) + "]"
        case _:
            return quoted(str(value))


def json_object(fields: Mapping[str, str]) -> str:
    """Names to JSON texts, as one JSON object's text."""
    return "{" + ",".join(f"{quoted(name)}:{text}" for name, text in fields.items()) + "}"


def quoted(text: str) -> str:
    """A text as JSON."""
    return json.dumps(text, ensure_ascii=False)


def _instant(micros: int, kind: Kind) -> str:
    try:
        at = _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        # Python's calendar ends at year 9999; the number is exact.
        return f"{micros} microseconds since 1970"
    return (at if kind is Kind.TIMESTAMPTZ else at.replace(tzinfo=None)).isoformat()


def _day(days: int) -> str:
    try:
        return (_EPOCH + timedelta(days=days)).date().isoformat()
    except OverflowError:
        return f"{days} days since 1970"
