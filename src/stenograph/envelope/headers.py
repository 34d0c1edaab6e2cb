"""The headers in which our capturers say what they know, beside Debezium's own.

The value's bytes stay Debezium's; only headers carry more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LANE = "steno.lane"
ORDER = "steno.order"
BEFORE = "steno.before"
"""`key`: only the key's columns of `before` are real; `full`: all of them."""
UNCHANGED = "steno.unchanged"
"""JSON list of the columns that the source did not send in this change."""
TEXT = "steno.text"
"""JSON object: column to the source's exact text, where the wire's type cannot hold the value (NaN in a decimal)."""
NEW_KEY = "__debezium.newkey"
OLD_KEY = "__debezium.oldkey"

UNAVAILABLE = "__debezium_unavailable_value"
"""What Debezium writes where a column was not sent."""


@dataclass(frozen=True, slots=True)
class Unheld:
    """A value that the wire's type cannot hold: written as null, or as made up where null is not allowed.

    Its exact text goes into the header `steno.text`, so that nothing is lost.
    """

    text: str


def key_json(key: Mapping[str, object]) -> bytes:
    """A key as the key-change headers hold it: compact JSON."""
    return json.dumps(dict(key), separators=(",", ":"), ensure_ascii=False, default=_text).encode()


def names_json(names: Sequence[str]) -> bytes:
    """A list of column names as a header holds it."""
    return json.dumps(list(names), separators=(",", ":"), ensure_ascii=False).encode()


def texts_json(texts: Mapping[str, str]) -> bytes:
    """Column to exact text, as a header holds it."""
    return json.dumps(dict(texts), separators=(",", ":"), ensure_ascii=False).encode()


def json_of(header: bytes) -> Any:
    """What a header's JSON says; raise ValueError for what is no JSON, or JSON that is no text to a warehouse."""
    said = json.loads(header, parse_constant=_refused)
    if b"\\u" in header:
        # Half a surrogate pair can be written in JSON and is no text to anybody.
        json.dumps(said, ensure_ascii=False).encode()
    return said


def _refused(constant: str) -> object:
    raise ValueError(constant)


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
