"""Days of the Gregorian calendar, many at once.

Checks no date: one that does not exist gets the number of some other day.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stenograph.packing import Ints

Whole = npt.NDArray[np.integer[Any]]

_MONTH_STARTS: Final = np.array(
    [0, *((153 * ((month + 9) % 12) + 2) // 5 for month in range(1, 13))] + [0] * 87, np.int32
)
"""By a month of two digits: how many days of its year are before it."""


def days_since_1970(year: Whole, month: Whole, day: Whole) -> Ints:
    """The days, where years begin in March so that a leap day is the last one."""
    of_year = year - (month <= 2)
    century = of_year // 100
    day_of_year = _MONTH_STARTS.take(month, mode="clip") + day
    days: Ints = of_year * 365 + of_year // 4 - century + century // 4 + day_of_year - 719_469
    return days.astype(np.int64, copy=False)
