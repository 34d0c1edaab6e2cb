"""A wire value's exact text: what stands beside a column that cannot hold the value.

Used only where no text of the source's own is known, so it is built from the wire alone: nothing is rounded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import cast

from stenograph.schemas import AvroType, Kind, column_type, nullable_of

_INFINITE = {
    2**31 - 1: "infinity",
    -(2**31): "-infinity",
    2**63 - 1: "infinity",
    -(2**63): "-infinity",
    9223372036825200000: "infinity",
    -9223372036832400000: "-infinity",
    9223372036825200: "infinity",
    -9223372036832400: "-infinity",
    "+294247-01-10T04:00:25.200000Z": "infinity",
    "-290308-12-21T19:59:27.600000Z": "-infinity",
}
"""Debezium's stand-ins for infinite dates and timestamps, in days, micro- and milliseconds."""
_TEMPORAL = {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}


def exact_text(value: object, avro: AvroType) -> str:
    """The text of a non-null wire value of that non-null type; `infinity` and `-infinity` for what stands for them."""
    of = column_type(avro)
    if of.kind in _TEMPORAL and isinstance(value, int | str) and value in _INFINITE:
        return _INFINITE[value]
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case Decimal():
            return f"{value:f}"
        case bytes():
            return value.hex()
        case list() if of.kind is Kind.LIST:
            items = cast(Mapping[str, object], avro)["items"]
            element, _ = nullable_of(cast(AvroType, items))
            return _array(value, element)
        case Mapping():
            return json.dumps(value, ensure_ascii=False, default=_jsonable)
        case int() if of.kind in _TEMPORAL or of.kind is Kind.TIME:
            return f"{value} ({_unit(avro)})"
        case _:
            return str(value)


def _array(values: Sequence[object], element: AvroType) -> str:
    """A JSON list of the elements' texts."""
    return json.dumps([None if v is None else exact_text(v, element) for v in values], ensure_ascii=False)


def _unit(avro: AvroType) -> str:
    name = avro.get("connect.name", avro.get("logicalType", "")) if isinstance(avro, Mapping) else ""
    return f"as {str(name).rpartition('.')[2]}"


def _jsonable(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else str(value)
