"""Reads a field's default, as JSON writes it, as the wire value that it stands for.

Says nothing of a value's range: that is `envelope.values`. The rules:
https://avro.apache.org/docs/1.12.0/specification/#schema-record.
"""

from __future__ import annotations

from collections.abc import Mapping

from stenograph.schemas.avro import decimal_of, nullable_of
from stenograph.schemas.shapes import AvroType

_WHOLE = {"int": range(-(2**31), 2**31), "long": range(-(2**63), 2**63)}


def default_datum(avro: AvroType, default: object) -> object:
    """The default of a field of that type without null; raise ValueError, with the type only, if it is none of it."""
    if not isinstance(avro, str | Mapping):
        return default_datum(nullable_of(avro)[0], default)
    base = avro if isinstance(avro, str) else avro.get("type")
    if isinstance(base, Mapping):
        return default_datum(base, default)
    if base in ("bytes", "fixed"):
        return _bytes(avro, default)
    if base == "array" and isinstance(avro, Mapping) and isinstance(default, list):
        items = avro["items"]
        element: AvroType = items if isinstance(items, str | Mapping | list) else str(items)
        return [None if item is None else default_datum(element, item) for item in default]
    if base == "enum" and isinstance(avro, Mapping):
        symbols = avro.get("symbols")
        if isinstance(symbols, list) and default in symbols:
            return default
    elif base in ("record", "map") and isinstance(default, dict):
        return default
    elif isinstance(base, str) and _is_primitive(base, default):
        return float(default) if base in ("float", "double") and isinstance(default, int) else default
    raise ValueError(f"is no {base}")


def _is_primitive(base: str, default: object) -> bool:
    match default:
        case bool():
            return base == "boolean"
        case int():
            return base in ("float", "double") or default in _WHOLE.get(base, ())
        case float():
            return base in ("float", "double")
        case _:
            return base == "string" and isinstance(default, str)


def _bytes(avro: AvroType, default: object) -> object:
    if not isinstance(default, str):
        raise ValueError("is no bytes, which JSON writes as text")
    try:
        raw = default.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("is no bytes: a letter is above U+00FF") from None
    if not isinstance(avro, Mapping) or avro.get("logicalType") != "decimal":
        return raw
    scale = avro.get("scale", 0)
    return decimal_of(raw, scale if isinstance(scale, int) else 0)
