"""Types, shapes, models and plans, and how an Avro type is read as one of them."""

from stenograph.schemas.avro import AvroField, AvroType, UnknownAvroType, column_type, fields_of, nullable_of
from stenograph.schemas.shapes import (
    Column,
    ColumnType,
    Kind,
    Model,
    SchemaChange,
    SchemaId,
    TablePlan,
    TableShape,
    fingerprint,
)

__all__ = [
    "AvroField",
    "AvroType",
    "Column",
    "ColumnType",
    "Kind",
    "Model",
    "SchemaChange",
    "SchemaId",
    "TablePlan",
    "TableShape",
    "UnknownAvroType",
    "column_type",
    "fields_of",
    "fingerprint",
    "nullable_of",
]
