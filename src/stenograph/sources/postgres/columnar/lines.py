"""Encodes many rows of one table that COPY gave, at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from stenograph.envelope.emitters import string_bytes
from stenograph.sources.postgres.columnar.records import Records, composed
from stenograph.sources.postgres.columnar.table import ColumnarTable
from stenograph.sources.postgres.columnar.texts import fields
from stenograph.sources.postgres.compiled import UNSURE, Encoded

_READ: Final = string_bytes("r")


def encoded_lines(table: ColumnarTable, lines: Sequence[bytes], tail: bytes, now: bytes) -> Records:
    """The rows' records, from the first on to the first that the reference has to encode.

    `tail` is their source block, `now` what stands after the operation.
    """
    compiled = table.compiled
    page = table.page(lines)
    columns = fields(page, len(lines), table.width)
    if columns is None:
        unusual, known = np.ones(len(lines), np.bool_), None
    else:
        known = table.whole(page, columns, np.zeros(len(lines), np.bool_))
        unusual = known.unusual
    others: dict[int, Encoded] = {}
    count = len(lines)
    for place in np.flatnonzero(unusual).tolist():
        try:
            others[place] = compiled.line(lines[place], tail, now)
        except UNSURE:
            count = place
            break
    end = int(page.values([tail + _READ + now])[0])
    row, key = ([], []) if known is None else (known.pieces, known.of(compiled.key))
    return composed(page, table, [table.after_only, *row, end], key, others, count)
