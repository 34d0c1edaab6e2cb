"""How long to wait before the next attempt: exponential, with jitter, bounded.

Waits for nobody itself.
"""

from __future__ import annotations

import random
from datetime import timedelta

FIRST = timedelta(milliseconds=100)
LONGEST = timedelta(seconds=30)


class Backoff:
    """Grows with every failure in a row; `clear` after a success."""

    def __init__(self, first: timedelta = FIRST, longest: timedelta = LONGEST) -> None:
        self._first = first
        self._longest = longest
        self.attempt = 0

    def next(self) -> timedelta:
        """The pause before the next attempt: between half and all of the doubled bound."""
        bound: timedelta = min(self._first * (1 << min(self.attempt, 20)), self._longest)
        self.attempt += 1
        return bound * random.uniform(0.5, 1.0)

    def clear(self) -> None:
        """Start over at the first pause."""
        self.attempt = 0
