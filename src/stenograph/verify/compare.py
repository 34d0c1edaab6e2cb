"""Compares two readings of the same rows and names what differs: by place, by column, never by value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from stenograph.history import plain_rows, row_digest

OFFSET = "_steno_log_offset"


def differing_columns(
    expected: tuple[object, ...], actual: tuple[object, ...], names: Sequence[str]
) -> list[str]:
    """The names of the columns in which two rows differ."""
    return [
        name
        for name, left, right in zip(names, expected, actual, strict=True)
        if row_digest([left]) != row_digest([right])
    ]


def compare_by_offset(expected: pa.Table, actual: pa.Table) -> list[tuple[int, str]]:
    """(offset, what is wrong) for every row that is missing, too many, doubled or different.

    Both tables have the same columns in the same order, one of them `_steno_log_offset`.
    """
    if expected.num_rows == actual.num_rows and expected.equals(actual):
        return []
    names = expected.column_names
    at = names.index(OFFSET)
    wanted = {row[at]: row for row in plain_rows(expected)}
    there = list(plain_rows(actual))
    wrong: list[tuple[int, str]] = []
    for offset, count in Counter(row[at] for row in there).items():
        if count > 1:
            wrong.append((_offset(offset), f"the row is there {count} times"))
    found = {row[at]: row for row in there}
    for offset in wanted.keys() - found.keys():
        wrong.append((_offset(offset), "the row is missing from history"))
    for offset in found.keys() - wanted.keys():
        wrong.append((_offset(offset), "history has a row that the log does not"))
    for offset in wanted.keys() & found.keys():
        columns = differing_columns(wanted[offset], found[offset], names)
        if columns:
            wrong.append((_offset(offset), f"the row differs in {', '.join(columns)}"))
    return sorted(wrong)


def _offset(value: object) -> int:
    assert isinstance(value, int)
    return value
