"""How the views read columns in older rows, as JSON text in the bookkeeping.

Decides nothing: `sink.evolution` says what is lifted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from stenograph.schemas import Lift


def lifts_text(lifts: Mapping[str, Lift]) -> str:
    """The lifts by column, as JSON."""
    described = {name: [lift.source, lift.since, lift.default] for name, lift in lifts.items()}
    return json.dumps(described, ensure_ascii=False, separators=(",", ":"))


def lifts_of(text: object) -> dict[str, Lift]:
    """The inverse of `lifts_text`."""
    described = cast(dict[str, list[Any]], json.loads(str(text)))
    return {name: Lift(*parts) for name, parts in described.items()}
