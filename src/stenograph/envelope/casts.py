"""Casts between history types that lose nothing, of one value and of a whole column.

A cast that could lose something does not exist: whoever needs one refuses the mapping.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import pyarrow as pa

from stenograph.history import arrow_type
from stenograph.schemas import ColumnType, Kind

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
        case ((Kind.INT16 | Kind.INT32 | Kind.INT64 | Kind.UUID | Kind.JSON | Kind.NUMBER_TEXT), Kind.TEXT):
            return _arrow(str, to)
        case Kind.LIST, Kind.LIST if of.element and to.element:
            element = lossless(of.element, to.element)
            return _arrow(_same, to) if element is not None and element.value is _same else None
        case _:
            return None


def _same(value: object) -> object:
    return value


def _decimal(value: object) -> object:
    return Decimal(cast(int, value))


def _arrow(value: Callable[[object], object], to: ColumnType) -> Cast:
    return Cast(value, lambda column: column.cast(arrow_type(to)))


_IDENTITY = Cast(_same, lambda column: column, is_identity=True)
