"""How much of the log one append to a history table is made of.

Decides nothing about any warehouse: each kind's settings say what suits it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FlushLimits:
    """The sink stores what it has read once it holds `rows` records or `bytes` of them, or nothing more is waiting.

    `seconds` is what lies at least between two appends while little is waiting, so that a trickle does not become an
    append for each change; a change after a rest is stored at once. Trap: `bytes` can be passed by one record, which
    is never split.
    """

    rows: int
    bytes: int
    seconds: float
