"""Casts between history types that lose nothing, of one value and of a whole column.

A cast that could lose something does not exist: whoever needs one refuses the mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import pyarrow as pa

from stenograph.history import arrow_type
from stenograph.schemas import Column, ColumnType, Kind

_NUMBERS = frozenset(
    {Kind.INT16, Kind.INT32, Kind.INT64, Kind.DECIMAL, Kind.FLOAT32, Kind.FLOAT64, Kind.NUMBER_TEXT}
)
_TEXTS = frozenset({Kind.TEXT, Kind.UUID, Kind.JSON})
_WHOLE_DIGITS = {Kind.INT16: 5, Kind.INT32: 10, Kind.INT64: 19}


@dataclass(frozen=True, slots=True)
class Cast:
    """`value` takes a history value that is not null, `column` an Arrow array in the type's own form.

    Both give the same values: the reference path uses one, the columnar path the other.
    """

    value: Callable[[object], object]
    column: Callable[[pa.Array[Any]], pa.Array[Any]]
    is_identity: bool = False


def lossless(of: ColumnType, to: ColumnType) -> Cast | None:
    """The cast that loses nothing; None where there is none."""
    if of == to:
        return _IDENTITY
    match of.kind, to.kind:
        case ((Kind.INT16 | Kind.INT32 | Kind.INT64 as small), (Kind.INT16 | Kind.INT32 | Kind.INT64 as big)):
            return _arrow(_same, to) if _WHOLE_DIGITS[small] <= _WHOLE_DIGITS[big] else None
        case ((Kind.INT16 | Kind.INT32 | Kind.INT64 as small), Kind.DECIMAL):
            whole = (to.precision or 0) - (to.scale or 0)
            return _arrow(_decimal, to) if whole >= _WHOLE_DIGITS[small] else None
        case Kind.DECIMAL, Kind.DECIMAL:
            whole_of, whole_to = (of.precision or 0) - (of.scale or 0), (to.precision or 0) - (to.scale or 0)
            fits = whole_of <= whole_to and (of.scale or 0) <= (to.scale or 0)
            return _arrow(_same, to) if fits else None
        case Kind.FLOAT32, Kind.FLOAT64:
            return _arrow(_same, to)
        case (Kind.INT16, Kind.FLOAT32) | ((Kind.INT16 | Kind.INT32), Kind.FLOAT64):
            # A float has 24 bits for the digits of a whole number, a double 53.
            return _arrow(_float, to)
        case ((Kind.INT16 | Kind.INT32 | Kind.INT64), (Kind.TEXT | Kind.NUMBER_TEXT)):
            return _arrow(str, to)
        case Kind.DECIMAL, Kind.NUMBER_TEXT:
            return _one_by_one(_decimal_text(of.scale or 0), to)
        case ((Kind.UUID | Kind.JSON | Kind.NUMBER_TEXT), Kind.TEXT):
            return _arrow(_same, to)
        case Kind.BOOLEAN, Kind.TEXT:
            return _arrow(_boolean_text, to)
        case Kind.LIST, Kind.LIST if of.element and to.element:
            element = lossless(of.element, to.element)
            return None if element is None else _list(element, to)
        case _:
            return None


def is_cast_up(of: ColumnType, there: Column) -> bool:
    """Whether values of that type are still the column's: they are of its type, or of a narrower one.

    A number is no older text: it counts as one only if the column held such numbers before it was widened.
    """
    if lossless(of, there.type) is None:
        return False
    return of == there.type or _family(of) == _family(there.type) or of in there.held


def _family(of: ColumnType) -> Kind:
    while of.element is not None:
        of = of.element
    if of.kind in _NUMBERS:
        return Kind.DECIMAL
    return Kind.TEXT if of.kind in _TEXTS else of.kind


def _same(value: object) -> object:
    return value


def _decimal(value: object) -> object:
    return Decimal(cast(int, value))


def _float(value: object) -> object:
    return float(cast(int, value))


def _boolean_text(value: object) -> object:
    return "true" if value else "false"


def _decimal_text(scale: int) -> Callable[[object], object]:
    # As many digits as the type has, whatever exponent the value came with: one number has one text.
    return lambda value: f"{cast(Decimal, value):.{scale}f}"


def _arrow(value: Callable[[object], object], to: ColumnType) -> Cast:
    return Cast(value, lambda column: column.cast(arrow_type(to)))


def _one_by_one(value: Callable[[object], object], to: ColumnType) -> Cast:
    """For what Arrow writes in another form."""

    def whole(column: pa.Array[Any]) -> pa.Array[Any]:
        items = [None if item is None else value(item) for item in column.to_pylist()]
        return pa.array(items, arrow_type(to))

    return Cast(value, whole)


def _list(element: Cast, to: ColumnType) -> Cast:
    if element.value is _same:
        return _arrow(_same, to)

    def items(value: object) -> object:
        return [None if item is None else element.value(item) for item in cast(Sequence[object], value)]

    return _one_by_one(items, to)


_IDENTITY = Cast(_same, lambda column: column, is_identity=True)
