"""Days and microseconds of many dates, times of day and timestamps at once, as Postgres writes them.

Says where a text looks otherwise: a year of more than four digits, one before Christ, infinity.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stenograph.envelope.columnar.civil import days_since_1970
from stenograph.packing import Bools, Ints
from stenograph.sources.postgres.columnar.numbers import from_digits
from stenograph.sources.postgres.columnar.page import Page

_DASH, _COLON, _DOT = b"-:."
_DATE: Final = 10
_CLOCK: Final = 8
_TENS: Final = np.array([10 ** (6 - digits) for digits in range(7)], np.int64)
_DAY: Final = 86_400_000_000


def days(page: Page, starts: Ints) -> tuple[Ints, Bools]:
    """Days since 1970 of `2024-02-29`, and where something else stands."""
    text = page.text
    year, odd = _number(page, starts + 4, 4)
    month, odd_month = _number(page, starts + 7, 2)
    day, odd_day = _number(page, starts + 10, 2)
    odd |= odd_month | odd_day | (text[starts + 4] != _DASH) | (text[starts + 7] != _DASH)
    return days_since_1970(year, month, day), odd


def micros_of_day(page: Page, starts: Ints, lengths: Ints) -> tuple[Ints, Bools]:
    """Microseconds of `12:34:56` with up to six digits after a point, and where something else stands."""
    text = page.text
    hour, odd = _number(page, starts + 2, 2)
    minute, odd_minute = _number(page, starts + 5, 2)
    second, odd_second = _number(page, starts + 8, 2)
    odd |= odd_minute | odd_second | (text[starts + 2] != _COLON) | (text[starts + 5] != _COLON)
    found = hour * 3_600_000_000 + minute * 60_000_000 + second * 1_000_000
    digits = lengths - (_CLOCK + 1)
    odd |= (digits > 6) | (digits == 0) | (digits < -1)
    if (digits > 0).any():
        count = np.clip(digits, 0, 6)
        fraction, odd_fraction = from_digits(page.words, starts + lengths, count)
        odd |= (count > 0) & (odd_fraction | (text[starts + _CLOCK] != _DOT))
        found += fraction.view(np.int64) * _TENS[count]
    return found, odd


def micros(page: Page, starts: Ints, lengths: Ints) -> tuple[Ints, Bools]:
    """Microseconds since 1970 of `2024-02-29 12:34:56.5`, and where something else stands."""
    of_days, odd = days(page, starts)
    of_day, also_odd = micros_of_day(page, starts + _DATE + 1, lengths - (_DATE + 1))
    return of_days * _DAY + of_day, odd | also_odd


def _number(page: Page, stops: Ints, count: int) -> tuple[Ints, Bools]:
    found, odd = from_digits(page.words, stops, np.full(len(stops), count))
    return found.view(np.int64), odd
