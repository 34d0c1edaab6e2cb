"""A table's wire schemas: the key and envelope records that Debezium's connector would register.

Builds schemas only; what a source's type becomes in Avro is the source's knowledge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stenograph.events import TableId
from stenograph.schemas import AvroType, full_name

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
COLUMN_NAME = "steno.name"
"""The field property that holds a column's own name where Avro cannot spell it."""


def avro_name(name: str) -> str:
    """The name as Avro can spell it, as Debezium's `avro` adjustment does: other characters become `_`."""
    if _NAME.fullmatch(name):
        return name
    spelled = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return spelled if spelled and not spelled[0].isdigit() else f"_{spelled}"


@dataclass(frozen=True, slots=True)
class WireColumn:
    """A column on the wire: its own name, its non-null Avro type, and the default as the wire value.

    `default` is None where the column has none, or one that is not a constant.
    """

    name: str
    avro: AvroType
    nullable: bool
    default: object | None = None


@dataclass(frozen=True, slots=True)
class WireTable:
    """A table as its topic shows it; `prefix` is the source's name, `key` the primary key's columns in order."""

    prefix: str
    table: TableId
    columns: tuple[WireColumn, ...]
    key: tuple[str, ...]

    @property
    def topic(self) -> str:
        """The topic, which is also the stem of both subjects."""
        return self.table.topic(self.prefix)

    @property
    def namespace(self) -> str:
        """The records' namespace: the topic as Avro can spell it."""
        return ".".join(avro_name(part) for part in self.topic.split("."))

    def key_schema(self) -> str | None:
        """The key record as JSON text; None for a table without a primary key."""
        if not self.key:
            return None
        by_name = {column.name: column for column in self.columns}
        fields = [_field(by_name[name], spelled) for name, spelled in self._spelled(self.key)]
        return _text(
            {
                "type": "record",
                "name": "Key",
                "namespace": self.namespace,
                "fields": fields,
                "connect.name": f"{self.namespace}.Key",
            }
        )

    def value_schema(self, source_record: AvroType) -> str:
        """The envelope record as JSON text, with the source's own `source` block."""
        names = self._spelled([column.name for column in self.columns])
        fields = [_field(column, spelled) for column, (_, spelled) in zip(self.columns, names, strict=True)]
        value = {
            "type": "record",
            "name": "Value",
            "fields": fields,
            "connect.name": f"{self.namespace}.Value",
        }
        envelope = [
            {"name": "before", "type": ["null", value], "default": None},
            {"name": "after", "type": ["null", "Value"], "default": None},
            {"name": "source", "type": source_record},
            {"name": "transaction", "type": ["null", _TRANSACTION], "default": None},
            {"name": "op", "type": "string"},
            *(
                {"name": name, "type": ["null", "long"], "default": None}
                for name in ("ts_ms", "ts_us", "ts_ns")
            ),
        ]
        record = {
            "type": "record",
            "name": "Envelope",
            "namespace": self.namespace,
            "fields": envelope,
            "connect.version": 2,
            "connect.name": f"{self.namespace}.Envelope",
        }
        return _text(record)

    def spelling(self) -> dict[str, str]:
        """Column name to Avro field name."""
        return dict(self._spelled([column.name for column in self.columns]))

    def _spelled(self, names: Sequence[str]) -> list[tuple[str, str]]:
        taken: dict[str, str] = {}
        for column in self.columns:
            spelled = avro_name(column.name)
            while spelled in taken.values():
                spelled += "_"
            taken[column.name] = spelled
        return [(name, taken[name]) for name in names]


def _field(column: WireColumn, spelled: str) -> dict[str, object]:
    own_name = {} if spelled == column.name else {COLUMN_NAME: column.name}
    if column.default is not None:
        typed: dict[str, object] = (
            dict(column.avro) if isinstance(column.avro, Mapping) else {"type": column.avro}
        )
        typed["connect.default"] = column.default
        avro: object = [typed, "null"] if column.nullable else typed
        return {"name": spelled, "type": avro, "default": column.default, **own_name}
    if column.nullable:
        return {"name": spelled, "type": ["null", column.avro], "default": None, **own_name}
    return {"name": spelled, "type": column.avro, **own_name}


def whole_type(column: WireColumn) -> Any:
    """The column's type in a row, with null where it takes one, as a schema of its own."""
    return _named_once(_field(column, "column")["type"], "", set())


def _text(schema: Mapping[str, object]) -> str:
    once = _named_once(schema, "", set())
    return json.dumps(once, separators=(",", ":"), ensure_ascii=False)


def _named_once(schema: Any, namespace: str, seen: set[str]) -> object:
    """The schema with a named type defined where it comes first and only named after: Avro allows no more."""
    match schema:
        case {"type": "record", "name": str(), "fields": list(fields)}:
            full, inner = full_name(schema, namespace)
            if full in seen:
                return full
            seen.add(full)
            return {**schema, "fields": [_named_once(field, inner, seen) for field in fields]}
        case {"type": "array", "items": items}:
            return {**schema, "items": _named_once(items, namespace, seen)}
        case {"type": list() | dict() as of}:
            return {**schema, "type": _named_once(of, namespace, seen)}
        case list():
            return [_named_once(branch, namespace, seen) for branch in schema]
        case _:
            return schema


_TRANSACTION = {
    "type": "record",
    "name": "block",
    "namespace": "event",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "total_order", "type": "long"},
        {"name": "data_collection_order", "type": "long"},
    ],
    "connect.version": 1,
    "connect.name": "event.block",
}

_NULLABLE_LONGS = ("txId", "lsn", "xmin")

POSTGRES_SOURCE: AvroType = {
    "type": "record",
    "name": "Source",
    "namespace": "io.debezium.connector.postgresql",
    "fields": [
        {"name": "version", "type": "string"},
        {"name": "connector", "type": "string"},
        {"name": "name", "type": "string"},
        {"name": "ts_ms", "type": "long"},
        {
            "name": "snapshot",
            "type": [
                {
                    "type": "string",
                    "connect.version": 1,
                    "connect.parameters": {
                        "allowed": "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"
                    },
                    "connect.default": "false",
                    "connect.name": "io.debezium.data.Enum",
                },
                "null",
            ],
            "default": "false",
        },
        {"name": "db", "type": "string"},
        {"name": "sequence", "type": ["null", "string"], "default": None},
        {"name": "ts_us", "type": ["null", "long"], "default": None},
        {"name": "ts_ns", "type": ["null", "long"], "default": None},
        {"name": "schema", "type": "string"},
        {"name": "table", "type": "string"},
        *({"name": name, "type": ["null", "long"], "default": None} for name in _NULLABLE_LONGS),
        {"name": "origin", "type": ["null", "string"], "default": None},
        {"name": "origin_lsn", "type": ["null", "long"], "default": None},
    ],
    "connect.version": 1,
    "connect.name": "io.debezium.connector.postgresql.Source",
}
"""The `source` block of Debezium's Postgres connector 3.6."""
