"""The columns that every history table has beside the source's own, and their Arrow types.

All begin with `_steno_`: BigQuery refuses names that begin with `_PARTITION`, `_TABLE_`, `_FILE_` and
`_ROW_TIMESTAMP`, so a bare underscore would not do.
"""

from __future__ import annotations

import pyarrow as pa

from stenograph.schemas import Column, ColumnType, Kind, TableShape

_TEXT = ColumnType(Kind.TEXT)
_JSON = ColumnType(Kind.JSON)
_INSTANT = ColumnType(Kind.TIMESTAMPTZ)

OWN_COLUMNS: tuple[Column, ...] = (
    Column("_steno_op", _TEXT),
    Column("_steno_source", _TEXT),
    Column("_steno_committed_at", _INSTANT),
    Column("_steno_changed_at", _INSTANT),
    Column("_steno_changed_after", _INSTANT),
    Column("_steno_observed_at", _INSTANT),
    Column("_steno_lane", _TEXT),
    Column("_steno_order", _TEXT),
    Column("_steno_related_key", _JSON),
    Column("_steno_transaction", _TEXT),
    Column("_steno_topic", _TEXT),
    Column("_steno_log_generation", _TEXT),
    Column("_steno_log_partition", ColumnType(Kind.INT32)),
    Column("_steno_log_offset", ColumnType(Kind.INT64)),
    Column("_steno_schema", _TEXT),
    Column("_steno_model_version", ColumnType(Kind.INT32)),
    Column("_steno_notes", _JSON),
    Column("_steno_unchanged", ColumnType(Kind.LIST, element=_TEXT)),
    Column("_steno_extra", _JSON),
    Column("_steno_before", _JSON),
)
"""What the sink writes beside the source's columns, in this order, after them."""

RECORDED_AT = Column("_steno_recorded_at", _INSTANT)
"""The warehouse's own clock in the transaction that stores the row; never in a batch."""

_SIMPLE: dict[Kind, pa.DataType] = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.INT16: pa.int16(),
    Kind.INT32: pa.int32(),
    Kind.INT64: pa.int64(),
    Kind.FLOAT32: pa.float32(),
    Kind.FLOAT64: pa.float64(),
    Kind.NUMBER_TEXT: pa.string(),
    Kind.TEXT: pa.string(),
    Kind.UUID: pa.string(),
    Kind.JSON: pa.string(),
    Kind.BYTES: pa.binary(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.TIMESTAMPTZ: pa.timestamp("us", tz="UTC"),
    Kind.TIME: pa.time64("us"),
    Kind.DURATION: pa.duration("us"),
}


def arrow_type(of: ColumnType) -> pa.DataType:
    """The Arrow type in which a batch carries the column."""
    if of.kind is Kind.DECIMAL:
        if of.precision is None or of.scale is None:
            raise ValueError("A decimal type needs its precision and scale.")
        return pa.decimal128(of.precision, of.scale)
    if of.kind is Kind.LIST:
        if of.element is None:
            raise ValueError("A list type needs its element.")
        return pa.list_(arrow_type(of.element))
    return _SIMPLE[of.kind]


def arrow_schema(shape: TableShape) -> pa.Schema:
    """The schema of a batch's rows: the source's columns, then our own."""
    return pa.schema(
        [pa.field(column.name, arrow_type(column.type)) for column in (*shape.columns, *OWN_COLUMNS)]
    )
