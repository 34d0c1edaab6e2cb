"""The digest of a span: what its rows were, column by column, in a form that outlives the columns' types.

Not a defence against somebody who forges rows: it finds loss, doubling and change of places and keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stenograph.history.digest import canonical

Array: TypeAlias = "pa.Array[Any]"
_OFFSET, _ORDER = "_steno_log_offset", "_steno_order"


def span_digest(rows: pa.Table, key: Collection[str]) -> str:
    """Hex digest over the places and key columns of a span's rows, in offset order.

    The same for the batch and for the rows read back from any warehouse, also after an integer column was widened or a
    decimal's scale has grown. Key columns count in the order of their names; one that is not there counts as null.
    """
    state = hashlib.blake2b(str(rows.num_rows).encode(), digest_size=16)
    state.update(rows.column(_OFFSET).cast(pa.int64()).to_numpy().astype("<i8", copy=False).tobytes())
    for name in (_ORDER, *sorted(set(key))):
        column = rows.column(name) if name in rows.column_names else pa.nulls(rows.num_rows, pa.string())
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        lengths, text = _counted(_text(whole))
        state.update(lengths)
        state.update(text)
    return state.hexdigest()


def _text(column: Array) -> Array:
    """Every value as one text or bytes, whatever the column's type was when it was stored."""
    of = column.type
    if any(is_of(of) for is_of in _TEXTS):
        return column
    if pa.types.is_floating(of):
        return _bits(column)
    if pa.types.is_temporal(of):
        return column.cast(pa.int32() if of.bit_width == 32 else pa.int64()).cast(pa.string())
    if pa.types.is_decimal(of):
        return _without_trailing_zeros(column)
    if pa.types.is_nested(of):
        return pa.array([None if v is None else canonical(v) for v in column.to_pylist()], pa.large_string())
    return column.cast(pa.string())


def _bits(column: Array) -> Array:
    """Floating-point numbers by their bits as doubles; there is one NaN."""
    doubles = column.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    bits = np.where(np.isnan(doubles), np.nan, doubles).view(np.int64)
    return pa.array(bits, mask=column.is_null().to_numpy(zero_copy_only=False)).cast(pa.string())


def _without_trailing_zeros(column: Array) -> Array:
    if column.type.scale <= 0:
        return column.cast(pa.string())
    # Wide enough to be written in full: Arrow goes over to exponents below a millionth.
    text = [None if value is None else f"{value:f}" for value in column.to_pylist()]
    trimmed = pc.utf8_rtrim(pa.array(text, pa.large_string()), "0")
    return pc.utf8_rtrim(trimmed, ".")


def _counted(column: Array) -> tuple[bytes, bytes | memoryview]:
    """The values' lengths, -1 for null, and their bytes one after the other: no two columns look alike."""
    filled = column.fill_null("" if _is_characters(column.type) else b"") if column.null_count else column
    _, offsets, data = filled.buffers()
    if not len(filled) or offsets is None:
        return b"", b""
    width = np.int64 if _is_large(column.type) else np.int32
    ends = np.frombuffer(memoryview(offsets), width)[filled.offset : filled.offset + len(filled) + 1]
    lengths = np.diff(ends).astype("<i4", copy=False)
    if column.null_count:
        lengths[column.is_null().to_numpy(zero_copy_only=False)] = -1
    text = b"" if data is None else memoryview(data)[int(ends[0]) : int(ends[-1])]
    return lengths.tobytes(), text


def _is_characters(of: pa.DataType) -> bool:
    return pa.types.is_string(of) or pa.types.is_large_string(of)


def _is_large(of: pa.DataType) -> bool:
    return pa.types.is_large_string(of) or pa.types.is_large_binary(of)


_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
