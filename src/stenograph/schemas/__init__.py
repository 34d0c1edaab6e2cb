"""Types, shapes, models and plans, and how an Avro type is read as one of them."""

from stenograph.schemas.avro import (
    AvroField,
    AvroType,
    UnknownAvroType,
    column_type,
    fields_of,
    full_name,
    nullable_of,
    resolved,
)
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
    "full_name",
    "nullable_of",
    "resolved",
]
