"""Column defaults that are constants, as wire values; every other default is none.

Evaluates nothing. Only defaults that JSON can write as they are (text, numbers, booleans) are given: Debezium
also gives decimals and bytes.
"""

from __future__ import annotations

import math
import re

from stenograph.sources.postgres.types import WireType

_QUOTED = re.compile(r"'((?:[^']|'')*)'(?:::[^'()]+(?:\(\d+(?:,\d+)?\))?(?:\[\])?)?")
_BARE = re.compile(r"\(?(-?\d+(?:\.\d+)?)\)?(?:::[a-z ]+)?|(true|false)")


def constant(expression: str | None, of: WireType) -> object | None:
    """The default's wire value; None for no default, NULL, a function call, or a value that JSON cannot write."""
    if expression is None:
        return None
    quoted = _QUOTED.fullmatch(expression)
    bare = _BARE.fullmatch(expression)
    if quoted is not None:
        raw = quoted.group(1).replace("''", "'")
    elif bare is not None:
        raw = bare.group(1) or bare.group(2)[0]
    else:
        return None
    try:
        value = of.read(raw.encode())
    except ValueError:
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | bool | int) else None
