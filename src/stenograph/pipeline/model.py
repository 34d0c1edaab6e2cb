"""The pipeline: one YAML file as a value, read once and refused whole.

Knows no adapter: the kinds of source, log and warehouse are handed in. Touches no network and resolves no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

from stenograph.events import TableId
from stenograph.pipeline.document import Document, Place, dotted, read
from stenograph.pipeline.faults import ConfigurationFaults, Fault, one_of, shown, suggestion
from stenograph.pipeline.secret import HOLDS_PASSWORD, holds_password
from stenograph.pipeline.settings import Section, TableSettings, validated
from stenograph.pipeline.tables import TableReading
from stenograph.schemas import Model

__all__ = [
    "DEFAULT_LOG",
    "DEFAULT_WAREHOUSE",
    "Kinds",
    "Pipeline",
    "Section",
    "TableSettings",
    "describe",
    "load",
]

DEFAULT_LOG = "embedded"
DEFAULT_WAREHOUSE = "duckdb"

_SECTIONS = ("source", "tables", "log", "warehouse")
_SOURCE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Kinds:
    """The settings class of every kind that there is, by the word that stands after `kind:`.

    A class may declare `kind` itself or leave it out. A source's class has a setting `name`, the word that stands
    in topics and in `_steno_source`.
    """

    sources: Mapping[str, type[BaseModel]]
    logs: Mapping[str, type[BaseModel]]
    warehouses: Mapping[str, type[BaseModel]]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One pipeline file, checked.

    `name` is the file's name without its ending. `folder` is the project: the parent of `pipelines/`, or the
    file's own folder; relative paths in settings start there. `models` holds the newest version of
    each model that a table names, `earlier` the versions before it, oldest first.
    """

    name: str
    file: Path
    folder: Path
    source_kind: str
    source_name: str
    source: BaseModel
    tables: Mapping[TableId, TableSettings]
    log_kind: str
    log: BaseModel
    warehouse_kind: str
    warehouse: BaseModel
    models: Mapping[str, Model] = field(default_factory=dict)
    earlier: Mapping[str, tuple[Model, ...]] = field(default_factory=dict)


def load(file: Path, kinds: Kinds) -> Pipeline:
    """Read and check one pipeline file.

    Raise ConfigurationFaults with every fault of the file and of the models it names. No message holds a secret.
    """
    file = file.absolute()
    folder = file.parent.parent if file.parent.name == "pipelines" else file.parent
    document = read(file)
    faults = list(document.faults)
    faults.extend(
        document.fault((key,), "unknown setting" + suggestion(key, _SECTIONS))
        for key in document.data
        if key not in _SECTIONS
    )
    source = _section(document, "source", kinds.sources, None, faults)
    reading = TableReading(document, folder, faults)
    reading.read()
    log = _section(document, "log", kinds.logs, DEFAULT_LOG, faults)
    warehouse = _section(document, "warehouse", kinds.warehouses, DEFAULT_WAREHOUSE, faults)
    faults.extend(_passwords(document, faults))
    source_name = "" if source is None else _source_name(document, source.settings, file.stem, faults)
    if faults or source is None or log is None or warehouse is None:
        raise ConfigurationFaults(sorted(faults, key=lambda fault: (fault.file != file, fault.line or 0)))
    return Pipeline(
        name=file.stem,
        file=file,
        folder=folder,
        source_kind=source.kind,
        source_name=source_name,
        source=source.settings,
        tables=reading.tables,
        log_kind=log.kind,
        log=log.settings,
        warehouse_kind=warehouse.kind,
        warehouse=warehouse.settings,
        models=reading.models,
        earlier=reading.earlier,
    )


def describe(pipeline: Pipeline) -> dict[str, object]:
    """The pipeline as JSON-able data, defaults filled in, secrets as their references."""
    return {
        "name": pipeline.name,
        "file": str(pipeline.file),
        "source": _described(pipeline.source_kind, pipeline.source),
        "tables": {
            str(table): settings.model_dump(mode="json") for table, settings in pipeline.tables.items()
        },
        "log": _described(pipeline.log_kind, pipeline.log),
        "warehouse": _described(pipeline.warehouse_kind, pipeline.warehouse),
    }


@dataclass(frozen=True, slots=True)
class _Chosen:
    kind: str
    settings: BaseModel


def _described(kind: str, settings: BaseModel) -> dict[str, object]:
    return {"kind": kind, **settings.model_dump(mode="json")}


def _section(
    document: Document,
    name: str,
    kinds: Mapping[str, type[BaseModel]],
    default: str | None,
    faults: list[Fault],
) -> _Chosen | None:
    given = document.data.get(name, {} if default else None)
    if name not in document.data and default is None:
        faults.append(Fault(document.file, 1, name, "missing; a pipeline has one" + one_of(kinds)))
        return None
    if not isinstance(given, Mapping):
        advice = "must be a mapping with its kind on a line below" + one_of(kinds)
        faults.append(document.fault((name,), advice))
        return None
    kind = given.get("kind", default)
    if not isinstance(kind, str) or kind not in kinds:
        if kind is None:
            message = "missing" + one_of(kinds)
        else:
            message = f'unknown kind "{shown(str(kind))}"{suggestion(str(kind), kinds)}{one_of(kinds)}'
        faults.append(document.fault((name, "kind"), message))
        return None
    settings_class = kinds[kind]
    declares_kind = "kind" in settings_class.model_fields
    values = {key: item for key, item in given.items() if key != "kind"} | (
        {"kind": kind} if declares_kind else {}
    )
    settings = validated(settings_class, values, document, (name,), faults)
    return None if settings is None else _Chosen(kind, settings)


def _passwords(document: Document, faults: Sequence[Fault]) -> Iterator[Fault]:
    """A fault for every password that no setting's own type has refused."""
    refused = {fault.path for fault in faults}
    waiting: list[tuple[Place, object]] = [((name,), document.data.get(name)) for name in _SECTIONS]
    for place, given in waiting:
        if isinstance(given, Mapping):
            waiting.extend(((*place, str(key)), item) for key, item in given.items())
        elif isinstance(given, list):
            waiting.extend(((*place, index), item) for index, item in enumerate(given))
        elif isinstance(given, str) and holds_password(given) and dotted(place) not in refused:
            yield document.fault(place, HOLDS_PASSWORD)


def _source_name(document: Document, settings: BaseModel, fallback: str, faults: list[Fault]) -> str:
    name = str(getattr(settings, "name", fallback))
    if not _SOURCE_NAME.fullmatch(name):
        faults.append(document.fault(("source", "name"), "must be a letter, then letters, digits, _ or -"))
    return name
