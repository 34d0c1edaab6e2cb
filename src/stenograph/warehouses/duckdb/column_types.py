"""Column types in DuckDB's words, and back to Arrow as a batch carries them.

Converts no value itself: DuckDB casts on the way in, the expressions here cast on the way out.
"""

from __future__ import annotations

import re

from stenograph.schemas import ColumnType, Kind
from stenograph.warehouses.duckdb.statements import quoted

_SIMPLE: dict[Kind, str] = {
    Kind.BOOLEAN: "BOOLEAN",
    Kind.INT16: "SMALLINT",
    Kind.INT32: "INTEGER",
    Kind.INT64: "BIGINT",
    Kind.FLOAT32: "FLOAT",
    Kind.FLOAT64: "DOUBLE",
    Kind.NUMBER_TEXT: "VARCHAR",
    Kind.TEXT: "VARCHAR",
    Kind.UUID: "UUID",
    Kind.JSON: "JSON",
    Kind.BYTES: "BLOB",
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE",
    Kind.TIME: "TIME",
    Kind.DURATION: "INTERVAL",
}
_KIND_OF = {words: kind for kind, words in _SIMPLE.items() if kind is not Kind.NUMBER_TEXT}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def sql_type(of: ColumnType) -> str:
    """The type as DuckDB's catalogue writes it."""
    if of.kind is Kind.DECIMAL:
        return f"DECIMAL({of.precision},{of.scale})"
    if of.kind is Kind.LIST and of.element is not None:
        return f"{sql_type(of.element)}[]"
    return _SIMPLE[of.kind]


def column_type_of(words: str) -> ColumnType | None:
    """The inverse of `sql_type`; None for a type that no history column of ours has.

    Trap: VARCHAR is read as text, also where the column holds exact numbers; see `as_number_text`.
    """
    if words.endswith("[]"):
        element = column_type_of(words.removesuffix("[]"))
        return None if element is None else ColumnType(Kind.LIST, element=element)
    if decimal := _DECIMAL.fullmatch(words):
        return ColumnType(Kind.DECIMAL, int(decimal[1]), int(decimal[2]))
    kind = _KIND_OF.get(words)
    return None if kind is None else ColumnType(kind)


def holds_number_text(of: ColumnType) -> bool:
    """Whether the type, or a list's innermost element, is exact numbers as text."""
    return of.kind is Kind.NUMBER_TEXT or (of.element is not None and holds_number_text(of.element))


def as_number_text(of: ColumnType) -> ColumnType:
    """The same type with exact numbers in the place of text."""
    if of.element is not None:
        return ColumnType(of.kind, element=as_number_text(of.element))
    return ColumnType(Kind.NUMBER_TEXT) if of.kind is Kind.TEXT else of


def of_json(sql: str, of: ColumnType) -> str:
    """An expression for the value that the JSON `sql` holds, as `json_text` wrote it; null for what is none.

    Trap: DuckDB writes a JSON document anew, so that the text of a JSON column is another one with the same meaning.
    """
    if of.kind is Kind.JSON:
        return f"TRY_CAST(nullif(CAST({sql} AS VARCHAR), 'null') AS JSON)"
    if of.kind is Kind.LIST:
        return of_text(f"nullif(CAST({sql} AS VARCHAR), 'null')", of)
    return of_text(f"({sql} ->> '$')", of)


def of_text(sql: str, of: ColumnType) -> str:
    """An expression for the value whose `json_text`, without its quotes, `sql` gives; null for what is none."""
    match of.kind:
        case Kind.BYTES:
            return f"unhex({sql})"
        case Kind.TIME:
            return f"TRY_CAST(replace({sql}, '1 day, 0:00:00', '24:00:00') AS TIME)"
        case Kind.DURATION:
            return f"TRY_CAST(replace({sql}, ',', '') AS INTERVAL)"
        case Kind.LIST if of.element is not None and _is_rewritten(of.element):
            texts = f"TRY_CAST(CAST({sql} AS JSON) AS VARCHAR[])"
            return f"list_transform({texts}, lambda _item: {of_text('_item', of.element)})"
        case Kind.LIST:
            return f"TRY_CAST(CAST({sql} AS JSON) AS {sql_type(of)})"
        case _:
            return f"TRY_CAST({sql} AS {sql_type(of)})"


def _is_rewritten(of: ColumnType) -> bool:
    """Whether `json_text` writes the type, or a list's innermost element, in a form that a plain cast does not read."""
    if of.element is not None:
        return _is_rewritten(of.element)
    return of.kind in (Kind.BYTES, Kind.TIME, Kind.DURATION)


def exported(name: str, of: ColumnType) -> str:
    """A select item that gives the column in a form which Arrow's `cast` takes to `arrow_type(of)`.

    A duration leaves as microseconds: DuckDB's interval has months, which Arrow's duration cannot have.
    """
    column = quoted(name)
    return f"{_expression(column, of)} AS {column}"


def _expression(sql: str, of: ColumnType) -> str:
    if of.kind is Kind.DURATION:
        return f"epoch_us({sql})"
    if of.element is not None and _has_duration(of.element):
        return f"list_transform({sql}, lambda _item: {_expression('_item', of.element)})"
    return sql


def _has_duration(of: ColumnType) -> bool:
    return of.kind is Kind.DURATION or (of.element is not None and _has_duration(of.element))
