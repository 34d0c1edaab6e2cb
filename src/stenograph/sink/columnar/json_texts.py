"""Whole columns as JSON texts: the same texts as `envelope.json_text` gives, value by value.

What Arrow writes in another form, or not at all, is written one by one by that module itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from stenograph.envelope.json_text import json_text, quoted
from stenograph.schemas import ColumnType, Kind

Array: TypeAlias = "pa.Array[Any]"
Mask: TypeAlias = "pa.BooleanArray"

_AS_WRITTEN: Final = {Kind.INT16, Kind.INT32, Kind.INT64, Kind.BOOLEAN}
_TEXTS: Final = {Kind.TEXT, Kind.UUID, Kind.NUMBER_TEXT}
_ESCAPED: Final = r'[\x00-\x1f"\\]'
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)
_DAYS = (
    date(1, 1, 1).toordinal() - date(1970, 1, 1).toordinal(),
    date.max.toordinal() - date(1970, 1, 1).toordinal(),
)
_INSTANTS = (
    (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICRO,
    (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICRO,
)


def json_texts(column: Array, of: ColumnType) -> Array:
    """The column's values as JSON texts; "null" for null."""
    return _texts(column, of).fill_null("null")


def json_objects(fields: Mapping[str, Array]) -> Array:
    """Names to columns of JSON texts, as one JSON object's text each; a null leaves its field out."""
    if not any(texts.null_count for texts in fields.values()):
        whole: list[Array | str] = []
        for number, (name, texts) in enumerate(fields.items()):
            whole += [f"{',' if number else '{'}{quoted(name)}:", texts]
        return _joined(*whole, "}")
    parts = [_joined(f",{quoted(name)}:", texts).fill_null("") for name, texts in fields.items()]
    # The first comma becomes the brace, also where nothing follows it.
    return _joined(pc.binary_replace_slice(_joined(*parts), 0, 1, "{"), "}")


def _joined(*parts: Array | str) -> Array:
    joined: Array = pc.binary_join_element_wise(*parts, "")  # type: ignore[call-overload]
    return joined


def cast_texts(column: Array, of: ColumnType, cast: Callable[[object], object], to: ColumnType) -> Array:
    """The column's values, cast one by one, as JSON texts; "null" for null."""
    texts = ["null" if value is None else json_text(cast(value), to) for value in plain(column, of)]
    return pa.array(texts, pa.string())


def plain(column: Array, of: ColumnType) -> list[Any]:
    """The values as the reference holds them: temporal ones as whole numbers."""
    whole: Array = column.cast(_plain_type(column.type, of))
    return whole.to_pylist()


def _texts(column: Array, of: ColumnType) -> Array:
    match of.kind:
        case Kind.JSON:
            return column
        case kind if kind in _AS_WRITTEN:
            return column.cast(pa.string())
        case kind if kind in _TEXTS:
            return _quoted(_escaped(column))
        case Kind.DECIMAL:
            return _quoted(column.cast(pa.string()))
        case Kind.DATE:
            return _dated(column, of, _DAYS, pa.int32())
        case Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            return _dated(column, of, _INSTANTS, pa.int64())
        case _:
            return _one_by_one(column, of)


def _quoted(texts: Array) -> Array:
    return _joined('"', texts, '"')


def _escaped(column: Array) -> Array:
    which: Array = pc.match_substring_regex(column, _ESCAPED).fill_null(False)  # noqa: FBT003
    found: list[Any] = column.filter(which).to_pylist()
    if not found:
        return column
    escaped = [quoted(text)[1:-1] for text in found]
    replaced: Array = pc.replace_with_mask(column, which, pa.array(escaped, column.type))
    return replaced


def _dated(column: Array, of: ColumnType, calendar: tuple[int, int], whole: pa.DataType) -> Array:
    """Instants and days in ISO 8601, as long as Python's calendar has them."""
    numbers: Array = column.cast(whole)
    known = pc.min_max(numbers)
    low, high = known["min"].as_py(), known["max"].as_py()
    if low is not None and not calendar[0] <= low <= high <= calendar[1]:
        return _one_by_one(column, of)
    texts = column.cast(pa.string())
    if of.kind is not Kind.DATE:
        # Arrow writes a space, six digits always, and Z.
        texts = pc.replace_substring(texts, " ", "T")
        is_whole = pa.array(numbers.fill_null(0).to_numpy() % 1_000_000 == 0)
        texts = pc.if_else(
            is_whole, pc.utf8_slice_codeunits(texts, 0, 19), pc.utf8_slice_codeunits(texts, 0, 26)
        )
        if of.kind is Kind.TIMESTAMPTZ:
            return _joined('"', texts, '+00:00"')
    return _quoted(texts)


def _one_by_one(column: Array, of: ColumnType) -> Array:
    texts = [None if value is None else json_text(value, of) for value in plain(column, of)]
    return pa.array(texts, pa.string())


def _plain_type(arrow: pa.DataType, of: ColumnType) -> pa.DataType:
    if of.element is not None and isinstance(arrow, pa.ListType):
        return pa.list_(_plain_type(arrow.value_type, of.element))
    if pa.types.is_temporal(arrow):
        return pa.int32() if of.kind is Kind.DATE else pa.int64()
    return arrow
