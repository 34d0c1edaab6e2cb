"""Reads the company's own models: `schemas/<name>/v<N>.avsc`, the newest version of each.

Does not compare versions: whether one follows from the last is asked of the schema rules, not of one file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from stenograph.pipeline.faults import ConfigurationFaults, Fault, shown, suggestion
from stenograph.resources import bundled
from stenograph.schemas import (
    AvroField,
    Column,
    Default,
    Model,
    TableShape,
    UnknownAvroType,
    column_type,
    default_datum,
    fields_of,
)

MODEL_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VERSION = re.compile(r"v([1-9][0-9]{0,8})\.avsc")
_KEY = "steno.key"
_NOT_A_TYPE = (UnknownAvroType, KeyError, TypeError, ValueError, AttributeError, RecursionError)


def folder_of(name: str, project: Path) -> Path | None:
    """The schemas folder that holds the model: the project's own, else the one that ships; None if neither does."""
    own = project / "schemas"
    if (own / name).is_dir():
        return own
    shipped = bundled("schemas")
    return shipped if (shipped / name).is_dir() else None


def names_in(folder: Path) -> tuple[str, ...]:
    """The models a schemas folder holds, by name; none if there is no such folder."""
    if not folder.is_dir():
        return ()
    found = (entry.name for entry in folder.iterdir() if entry.is_dir())
    return tuple(sorted(name for name in found if MODEL_NAME.fullmatch(name)))


def load_model(folder: Path, name: str) -> Model:
    """The newest version of the model in that schemas folder.

    Raise ConfigurationFaults with all that is wrong with it.
    """
    faults: list[Fault] = []
    newest = _newest(folder / name, faults) if MODEL_NAME.fullmatch(name) else None
    if newest is None:
        if not faults:
            known = names_in(folder)
            faults.append(Fault(folder, None, shown(name), "no such model" + suggestion(name, known)))
        raise ConfigurationFaults(faults)
    version, file = newest
    model = _model(file, name, version, faults)
    if model is None or faults:
        raise ConfigurationFaults(faults)
    return model


def all_models(folder: Path) -> tuple[Model, ...]:
    """The newest version of every model in a schemas folder, by name; the faults of all of them at once."""
    models: list[Model] = []
    faults: list[Fault] = []
    for name in names_in(folder):
        try:
            models.append(load_model(folder, name))
        except ConfigurationFaults as refusal:
            faults.extend(refusal.faults)
    if faults:
        raise ConfigurationFaults(faults)
    return tuple(models)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One version of a model, and the file that says it."""

    model: Model
    file: Path


def model_files(folder: Path, name: str) -> tuple[tuple[ModelFile, ...], tuple[Fault, ...]]:
    """Every version of the model that can be read, in order, and all faults of all of them."""
    faults: list[Fault] = []
    found: list[ModelFile] = []
    for version, file in sorted(_versions(folder / name, faults).items()):
        model = _model(file, name, version, faults)
        if model is not None:
            found.append(ModelFile(model, file))
    return tuple(found), tuple(faults)


def _newest(folder: Path, faults: list[Fault]) -> tuple[int, Path] | None:
    versions = _versions(folder, faults)
    return max(versions.items()) if versions else None


def _versions(folder: Path, faults: list[Fault]) -> dict[int, Path]:
    if not folder.is_dir():
        return {}
    versions: dict[int, Path] = {}
    for file in sorted(folder.glob("*.avsc")):
        if version := _VERSION.fullmatch(file.name):
            versions[int(version[1])] = file
        else:
            faults.append(Fault(file, None, "", "must be called v<number>.avsc, as in v1.avsc"))
    if not versions:
        faults.append(Fault(folder, None, "", "holds no version of the model; the first is v1.avsc"))
        return {}
    newest = max(versions)
    # Only the first hole is named: v900000000.avsc must not ask for all the others.
    missing = next((number for number in range(1, newest) if number not in versions), None)
    if missing is not None:
        faults.append(
            Fault(
                folder, None, "", f"v{missing}.avsc is missing; versions are counted from 1 and never removed"
            )
        )
    return versions


def _model(file: Path, name: str, version: int, faults: list[Fault]) -> Model | None:
    try:
        text = file.read_bytes().decode("utf-8")
        record = json.loads(text)
    except OSError as failure:
        faults.append(Fault(file, None, "", f"cannot be read: {failure.strerror}"))
        return None
    except json.JSONDecodeError as refusal:
        faults.append(Fault(file, refusal.lineno, "", f"not JSON: {refusal.msg}"))
        return None
    except (ValueError, RecursionError):
        faults.append(Fault(file, None, "", "not JSON in UTF-8 that can be read"))
        return None
    reading = _Reading(file, text, faults)
    if not isinstance(record, dict) or record.get("type") != "record":
        reading.fault("", 'must be a record: {"type": "record", "name": ..., "fields": [...]}')
        return None
    return reading.model(record, name, version)


@dataclass(slots=True)
class _Reading:
    """One model file being read: its faults, and the columns found so far."""

    file: Path
    text: str
    faults: list[Fault]
    columns: dict[str, Column] = field(default_factory=dict)
    nullable: set[str] = field(default_factory=set)
    required: set[str] = field(default_factory=set)
    defaults: dict[str, Default] = field(default_factory=dict)

    def model(self, record: Mapping[str, object], name: str, version: int) -> Model | None:
        before = len(self.faults)
        if record.get("name") != name:
            self.fault("name", f'must be "{name}", as its folder is called', '"name"')
        fields = record.get("fields")
        if not isinstance(fields, list) or not fields:
            self.fault("fields", "must be a list of at least one field", '"fields"')
            return None
        for number, entry in enumerate(fields):
            self._field(entry, number)
        key = self._key(record.get(_KEY))
        if len(self.faults) == before:
            self._avro(record)
        if len(self.faults) > before:
            return None
        shape = TableShape(tuple(self.columns.values()), key)
        return Model(name, version, shape, frozenset(self.required), self.defaults)

    def fault(self, path: str, message: str, near: str = "") -> None:
        """Add a fault on the first line that holds `near`: JSON is read without line numbers."""
        at = self.text.find(near) if near else 0
        line = self.text.count("\n", 0, at) + 1 if at >= 0 else None
        self.faults.append(Fault(self.file, line, path, message))

    def _field(self, entry: object, number: int) -> None:
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(name, str) or not _FIELD_NAME.fullmatch(name):
            self.fault(f"fields[{number}]", "must have a name of letters, digits and _", '"fields"')
            return
        path = f"fields.{name}"
        if name.lower().startswith("_steno"):
            self._field_fault(name, "names that begin with _steno are history's own")
        elif any(name.lower() == other.lower() for other in self.columns):
            self._field_fault(name, "named twice; upper and lower case are the same name in a warehouse")
        elif "type" not in entry:
            self._field_fault(name, "has no type")
        else:
            try:
                (read,) = fields_of({"fields": [entry]})
                self.columns[name] = Column(name, column_type(read.type))
            except _NOT_A_TYPE as refusal:
                what = f": {shown(str(refusal))}" if isinstance(refusal, UnknownAvroType) else ""
                self.fault(f"{path}.type", f"a type that no column can hold{what}", self._named(name))
                return
            if read.nullable:
                self.nullable.add(name)
            elif not read.has_default:
                self.required.add(name)
            self._default(name, read, entry.get("default"))

    def _default(self, name: str, read: AvroField, default: object) -> None:
        if default is None and (read.nullable or not read.has_default):
            return
        try:
            self.defaults[name] = Default(read.type, default_datum(read.type, default))
        except ValueError as refusal:
            self._field_fault(name, f"has a default that {refusal}")

    def _key(self, key: object) -> tuple[str, ...]:
        if (
            not isinstance(key, Sequence)
            or isinstance(key, str)
            or not all(isinstance(each, str) for each in key)
        ):
            self.fault(_KEY, 'missing or not a list of field names, as in "steno.key": ["id"]', f'"{_KEY}"')
            return ()
        names = tuple(str(each) for each in key)
        for name in names:
            if name not in self.columns:
                found = "names no field of the model" + suggestion(name, self.columns)
                self.fault(_KEY, f'"{shown(name)}" {found}', f'"{_KEY}"')
            elif name in self.nullable:
                self._field_fault(name, "is part of the key, so it must not take null")
        if len(set(names)) < len(names):
            self.fault(_KEY, "names a field twice", f'"{_KEY}"')
        return names

    def _avro(self, record: Mapping[str, object]) -> None:
        try:
            fastavro.parse_schema(dict(record))
        except (SchemaParseException, UnknownType, *_NOT_A_TYPE) as refusal:
            self.fault("", f"not an Avro schema: {shown(str(refusal))}")

    def _field_fault(self, name: str, message: str) -> None:
        self.fault(f"fields.{name}", message, self._named(name))

    def _named(self, name: str) -> str:
        found = re.search(rf'"name"\s*:\s*"{re.escape(name)}"', self.text)
        return found[0] if found else f'"{name}"'
