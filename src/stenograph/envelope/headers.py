"""The headers in which our capturers say what they know, beside Debezium's own.

The value's bytes stay Debezium's; only headers carry more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

LANE = "steno.lane"
ORDER = "steno.order"
BEFORE = "steno.before"
"""`key`: only the key's columns of `before` are real; `full`: all of them."""
UNCHANGED = "steno.unchanged"
"""JSON list of the columns that the source did not send in this change."""
NEW_KEY = "__debezium.newkey"
OLD_KEY = "__debezium.oldkey"

UNAVAILABLE = "__debezium_unavailable_value"
"""What Debezium writes where a column was not sent."""


def key_json(key: Mapping[str, object]) -> bytes:
    """A key as the key-change headers hold it: compact JSON."""
    return json.dumps(dict(key), separators=(",", ":"), ensure_ascii=False, default=_text).encode()


def names_json(names: Sequence[str]) -> bytes:
    """A list of column names as a header holds it."""
    return json.dumps(list(names), separators=(",", ":"), ensure_ascii=False).encode()


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
