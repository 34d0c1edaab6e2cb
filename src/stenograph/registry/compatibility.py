"""Whether data of one Avro schema can be read with another, by Avro's own resolution rules.

Reads no data and knows no registry. The rules:
https://avro.apache.org/docs/1.12.0/specification/#schema-resolution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Compatibility(StrEnum):
    """What a subject demands of a new version."""

    NONE = "NONE"
    """Any schema may follow."""
    BACKWARD = "BACKWARD"
    """The new schema must be able to read what the newest version wrote."""


_PROMOTIONS: dict[str, frozenset[str]] = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}
"""What a writer's primitive may be read as, beside itself."""

_NAMED = frozenset({"record", "error", "enum", "fixed"})


def obstacles(reader: object, writer: object) -> tuple[str, ...]:
    """What keeps `reader` from reading data of `writer`, both as `json.loads` gives them; empty if nothing does.

    Each obstacle is a sentence that begins with the place in the schema; defaults and names appear, data never.
    """
    return tuple(
        _Comparison(_names_of(reader), _names_of(writer), set()).compare(reader, writer, "", "", "the schema")
    )


def _names_of(schema: object) -> dict[str, Mapping[str, object]]:
    names: dict[str, Mapping[str, object]] = {}
    _collect(schema, "", names)
    return names


def _collect(schema: object, namespace: str, names: dict[str, Mapping[str, object]]) -> None:
    if isinstance(schema, list):
        for branch in schema:
            _collect(branch, namespace, names)
    if not isinstance(schema, Mapping):
        return
    kind = schema.get("type")
    if kind in _NAMED:
        full = _full_name(schema, namespace)
        namespace = full.rpartition(".")[0]
        names[full] = schema
    for field in _objects(schema.get("fields")):
        _collect(field.get("type"), namespace, names)
    for part in ("items", "values", "type"):
        if not isinstance(schema.get(part), str):
            _collect(schema.get(part), namespace, names)


def _full_name(schema: Mapping[str, object], namespace: str) -> str:
    name = str(schema.get("name", ""))
    own = schema.get("namespace", namespace)
    return name if "." in name or not own else f"{own}.{name}"


def _objects(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One comparison; `assumed` holds pairs of names under way, so that a recursive type ends."""

    reader_names: Mapping[str, Mapping[str, object]]
    writer_names: Mapping[str, Mapping[str, object]]
    assumed: set[tuple[str, str]]

    def compare(
        self, reader: object, writer: object, reader_space: str, writer_space: str, at: str
    ) -> list[str]:
        reader = _resolved(reader, reader_space, self.reader_names)
        writer = _resolved(writer, writer_space, self.writer_names)
        if isinstance(writer, list):
            found = (self.compare(reader, branch, reader_space, writer_space, at) for branch in writer)
            return [obstacle for of_branch in found for obstacle in of_branch]
        if isinstance(reader, list):
            tries = [self.compare(branch, writer, reader_space, writer_space, at) for branch in reader]
            if any(not obstacle for obstacle in tries):
                return []
            return [f"{at}: no branch of the union reads {_kind(writer)}."]
        return self._compare_single(reader, writer, reader_space, writer_space, at)

    def _compare_single(
        self, reader: object, writer: object, reader_space: str, writer_space: str, at: str
    ) -> list[str]:
        kind, written = _kind(reader), _kind(writer)
        if kind != written:
            return (
                [] if kind in _PROMOTIONS.get(written, ()) else [f"{at}: {written} cannot be read as {kind}."]
            )
        if not isinstance(reader, Mapping) or not isinstance(writer, Mapping):
            return _compare_decimals(reader, writer, at)
        match kind:
            case "array":
                return self.compare(reader["items"], writer["items"], reader_space, writer_space, f"{at}[]")
            case "map":
                return self.compare(
                    reader["values"], writer["values"], reader_space, writer_space, f"{at}{{}}"
                )
            case "record" | "error" | "enum" | "fixed":
                return self._compare_named(kind, reader, writer, reader_space, writer_space, at)
        return _compare_decimals(reader, writer, at)

    def _compare_named(
        self,
        kind: str,
        reader: Mapping[str, object],
        writer: Mapping[str, object],
        reader_space: str,
        writer_space: str,
        at: str,
    ) -> list[str]:
        read_as, written_as = _full_name(reader, reader_space), _full_name(writer, writer_space)
        if not _same_name(reader, read_as, written_as):
            return [
                f"{at}: {written_as} cannot be read as {read_as}, which has another name and no such alias."
            ]
        if (read_as, written_as) in self.assumed:
            return []
        self.assumed.add((read_as, written_as))
        try:
            match kind:
                case "enum":
                    return _compare_enums(reader, writer, at)
                case "fixed":
                    if reader.get("size") != writer.get("size"):
                        return [
                            f"{at}: fixed of {writer.get('size')} bytes cannot be read as {reader.get('size')}."
                        ]
                    return _compare_decimals(reader, writer, at)
            return self._compare_fields(
                reader, writer, read_as.rpartition(".")[0], written_as.rpartition(".")[0], at
            )
        finally:
            self.assumed.discard((read_as, written_as))

    def _compare_fields(
        self,
        reader: Mapping[str, object],
        writer: Mapping[str, object],
        reader_space: str,
        writer_space: str,
        at: str,
    ) -> list[str]:
        written = {str(field["name"]): field for field in _objects(writer.get("fields"))}
        found: list[str] = []
        for field in _objects(reader.get("fields")):
            name = str(field["name"])
            source = next((one for one in (name, *_texts(field.get("aliases"))) if one in written), None)
            place = name if at == "the schema" else f"{at}.{name}"
            if source is not None:
                found += self.compare(
                    field["type"], written[source]["type"], reader_space, writer_space, place
                )
            elif "default" not in field:
                found.append(f"{place}: the field is new and has no default.")
        return found


def _resolved(schema: object, namespace: str, names: Mapping[str, Mapping[str, object]]) -> object:
    """The type itself where the schema is a name, or a type wrapped in a type."""
    while isinstance(schema, Mapping) and not isinstance(schema.get("type"), str):
        schema = schema.get("type")
    if isinstance(schema, Mapping):
        kind = str(schema["type"])
        named = names.get(kind) or names.get(f"{namespace}.{kind}")
        return schema if named is None else named
    if isinstance(schema, str):
        return names.get(
            schema if "." in schema or not namespace else f"{namespace}.{schema}", names.get(schema, schema)
        )
    return schema


def _kind(schema: object) -> str:
    if isinstance(schema, Mapping):
        return str(schema.get("type"))
    return "a union" if isinstance(schema, Sequence) and not isinstance(schema, str) else str(schema)


def _same_name(reader: Mapping[str, object], read_as: str, written_as: str) -> bool:
    space = read_as.rpartition(".")[0]
    aliases = {
        alias if "." in alias or not space else f"{space}.{alias}" for alias in _texts(reader.get("aliases"))
    }
    return read_as.rpartition(".")[2] == written_as.rpartition(".")[2] or written_as in aliases


def _compare_enums(reader: Mapping[str, object], writer: Mapping[str, object], at: str) -> list[str]:
    lost = [symbol for symbol in _texts(writer.get("symbols")) if symbol not in _texts(reader.get("symbols"))]
    if not lost or "default" in reader:
        return []
    return [f"{at}: the enum lost {', '.join(lost)} and has no default."]


def _compare_decimals(reader: object, writer: object, at: str) -> list[str]:
    read, written = _decimal(reader), _decimal(writer)
    if read is None or written is None or read == written:
        return []
    return [f"{at}: decimal{written} cannot be read as decimal{read}."]


def _decimal(schema: object) -> tuple[object, object] | None:
    if not isinstance(schema, Mapping) or schema.get("logicalType") != "decimal":
        return None
    return schema.get("precision"), schema.get("scale", 0)
