"""The models a project has, and whether each version can read what the one before wrote.

Changes no file: versions are added by people and never edited.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from stenograph.envelope.casts import lossless
from stenograph.envelope.reading import EventReader, KeyReader
from stenograph.envelope.values import converter
from stenograph.errors import ValueOutOfRange
from stenograph.pipeline import ConfigurationFaults, Fault, Pipeline
from stenograph.pipeline.models import MODEL_NAME, ModelFile, model_files, names_in
from stenograph.ports import SchemaRegistry
from stenograph.registry.compatibility import obstacles
from stenograph.resources import bundled
from stenograph.schemas import Model, SchemaId

_WHOLE = "the schema"


class Home(StrEnum):
    """Whose a model is."""

    PROJECT = "project"
    """In the project's own `schemas/`, which goes before what ships."""
    SHIPPED = "shipped"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a model, and where it is."""

    home: Home
    file: Path
    model: Model
    tables: tuple[str, ...] = ()
    """The tables that feed this version, each as `<pipeline> <schema>.<table>`: those of the newest one."""

    def as_json(self) -> dict[str, object]:
        """The version as JSON takes it."""
        return {
            "name": self.model.name,
            "version": self.model.version,
            "home": self.home.value,
            "file": str(self.file),
            "tables": list(self.tables),
            "key": list(self.model.shape.key),
            "fields": [
                {
                    "name": column.name,
                    "type": str(column.type),
                    "required": column.name in self.model.required,
                }
                for column in self.model.shape.columns
            ],
        }


@dataclass(frozen=True, slots=True)
class SubjectView:
    """A subject of the registry: the newest version's id, and the columns that it speaks of."""

    subject: str
    schema_id: SchemaId
    columns: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The subject as JSON takes it."""
        return {"subject": self.subject, "id": self.schema_id, "columns": list(self.columns)}


def listed_models(project: Path, pipelines: Sequence[Pipeline] = ()) -> tuple[ModelVersion, ...]:
    """Every version of every model, by name, with the tables of these pipelines that feed it.

    Raise ConfigurationFaults if a file cannot be read as a model.
    """
    versions, faults = _read(project)
    if faults:
        raise ConfigurationFaults(faults)
    fed: dict[tuple[str, int], list[str]] = {}
    for pipeline in pipelines:
        for table, settings in pipeline.tables.items():
            if settings.model is not None:
                newest = pipeline.models[settings.model]
                fed.setdefault((newest.name, newest.version), []).append(f"{pipeline.name} {table}")
    return tuple(
        replace(each, tables=tuple(fed.get((each.model.name, each.model.version), ()))) for each in versions
    )


def check_models(project: Path) -> tuple[tuple[ModelVersion, ...], tuple[Fault, ...]]:
    """Every version that can be read, and every fault of every file.

    Beside what `load_model` refuses, a version must be able to read what the one before wrote, by Avro's own rules,
    have its key, and types to which history's columns can be widened without loss.
    """
    versions, faults = _read(project)
    for before, after in itertools.pairwise(versions):
        if before.model.name == after.model.name and before.model.version + 1 == after.model.version:
            misfits = list(_misfits(before, after))
            named = {fault.path for fault in misfits}
            faults += misfits
            faults += (fault for fault in _unkept(before, after) if fault.path not in named)
    return tuple(versions), tuple(faults)


def subjects(registry: SchemaRegistry, topics: Sequence[str]) -> tuple[SubjectView, ...]:
    """The topics' subjects that the registry has; raise RecordUnreadable for one that is no change event's."""
    return tuple(_subjects(registry, topics))


def _subjects(registry: SchemaRegistry, topics: Sequence[str]) -> Iterator[SubjectView]:
    for topic in topics:
        key, value = f"{topic}-key", f"{topic}-value"
        if (latest := registry.latest(key)) is not None:
            yield SubjectView(key, latest[0], KeyReader(latest[1]).columns)
        if (latest := registry.latest(value)) is not None:
            columns = EventReader(latest[1]).columns
            yield SubjectView(value, latest[0], tuple(column.name for column in columns))


def _read(project: Path) -> tuple[list[ModelVersion], list[Fault]]:
    own, shipped = project / "schemas", bundled("schemas")
    faults = list(_misnamed(own))
    versions: list[ModelVersion] = []
    homes = dict.fromkeys(names_in(shipped), (Home.SHIPPED, shipped))
    # In a checkout the two are one folder, and its models the project's.
    homes |= dict.fromkeys(names_in(own), (Home.PROJECT, own))
    for name, (home, folder) in sorted(homes.items()):
        found, wrong = model_files(folder, name)
        faults += wrong
        versions += [_version(home, each) for each in found]
    return versions, faults


def _version(home: Home, read: ModelFile) -> ModelVersion:
    return ModelVersion(home, read.file, read.model)


def _misnamed(folder: Path) -> Iterator[Fault]:
    if folder.is_dir():
        for entry in sorted(folder.iterdir()):
            hidden = entry.name.startswith((".", "_"))
            if entry.is_dir() and not hidden and not MODEL_NAME.fullmatch(entry.name):
                yield Fault(entry, None, "", "a model's folder is named with small letters, digits and _")
            elif entry.suffix == ".avsc":
                yield Fault(entry, None, "", "belongs into a folder of the model's name, as v1.avsc")


def _misfits(before: ModelVersion, after: ModelVersion) -> Iterator[Fault]:
    text = after.file.read_text("utf-8")
    older = f"v{before.model.version}"
    for obstacle in obstacles(json.loads(text), json.loads(before.file.read_text("utf-8"))):
        place, _, reason = obstacle.partition(": ")
        name = re.split(r"[.\[{]", place)[0]
        path = "" if place == _WHOLE else f"fields.{place}"
        yield Fault(
            after.file, _line(text, name), path, f"cannot read what {older} wrote: {reason.rstrip('.')}"
        )
    if before.model.shape.key != after.model.shape.key:
        was = ", ".join(before.model.shape.key)
        yield Fault(
            after.file, _line(text, None), "steno.key", f"is another key than that of {older}, which is {was}"
        )


def _unkept(before: ModelVersion, after: ModelVersion) -> Iterator[Fault]:
    """What Avro allows and history does not: its one column for a field must hold both versions' values."""
    text = after.file.read_text("utf-8")
    for column in after.model.shape.columns:
        was = before.model.shape.column(column.name)
        if was is not None and lossless(was.type, column.type) is None:
            message = (
                f"history cannot widen {was.type}, as v{before.model.version} has it, to {column.type} without loss; "
                "give the field another name"
            )
            yield Fault(after.file, _line(text, column.name), f"fields.{column.name}", message)
    for name, default in after.model.defaults.items():
        try:
            converter(default.avro)(default.datum)
        except ValueOutOfRange:
            yield Fault(
                after.file,
                _line(text, name),
                f"fields.{name}",
                "has a default that no history column can hold",
            )


def _line(text: str, field: str | None) -> int | None:
    """The line that names the field, or the key where there is none; None if it cannot be found."""
    wanted = r'"steno\.key"' if field is None else rf'"name"\s*:\s*"{re.escape(field)}"'
    found = re.search(wanted, text)
    return None if found is None else text.count("\n", 0, found.start()) + 1
