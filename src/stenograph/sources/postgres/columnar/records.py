"""Records of one table put together from their pieces, and the orders of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa

from stenograph.offsets import ORDER_BYTES
from stenograph.packing import Ints, Packed, large_binary
from stenograph.sources.postgres.columnar.constants import EMPTY
from stenograph.sources.postgres.columnar.page import Page, Piece, Pieces
from stenograph.sources.postgres.columnar.table import ColumnarTable
from stenograph.sources.postgres.compiled import Encoded

_ORDER = np.dtype([("run", ">u4"), ("commit", ">u8"), ("change", ">u8"), ("ordinal", ">u4")])


@dataclass(frozen=True, slots=True)
class Records:
    """Keys and values; the keys of a table without one are null."""

    keys: pa.LargeBinaryArray
    values: pa.LargeBinaryArray

    def __len__(self) -> int:
        return len(self.values)


def composed(
    page: Page,
    table: ColumnarTable,
    value: Sequence[Piece],
    key: Sequence[Piece],
    others: Mapping[int, Encoded],
    count: int,
) -> Records:
    """The first `count` records of a page; `value` and `key` are their pieces, the key's without its prefix.

    `others` are events that were encoded in another way, which stand in place of these.
    """
    values = _rows(value, count)
    keys = _rows([table.key_prefix, *key], count)
    if others:
        places = np.fromiter(others, np.int64, len(others))
        _put(values, places, page.values([of for _, of, _ in others.values()]))
        if table.compiled.key:
            _put(keys, places, page.values([of or b"" for of, _, _ in others.values()]))
    if not table.compiled.key:
        return Records(pa.nulls(count, pa.large_binary()), page.composed(values)[0])
    return Records(*page.composed(keys, values))


def _rows(pieces: Sequence[Piece], count: int) -> Pieces:
    made = np.empty((count, len(pieces)), np.int32)
    for place, piece in enumerate(pieces):
        made[:, place] = piece if isinstance(piece, int) else piece[:count]
    return made


def _put(records: Pieces, places: Ints, pieces: Pieces) -> None:
    records[places] = EMPTY
    records[places, 0] = pieces


def packed_orders(run: int, commit: int, change: Ints | int, ordinal: Ints) -> Sequence[bytes]:
    """What `order_of` makes of each."""
    made = np.empty(len(ordinal), _ORDER)
    made["run"], made["commit"], made["change"], made["ordinal"] = run, commit, change, ordinal
    stops = np.arange(0, (len(ordinal) + 1) * ORDER_BYTES, ORDER_BYTES)
    # An order is never None.
    return cast(Sequence[bytes], Packed(large_binary(stops, pa.py_buffer(made.data))))
