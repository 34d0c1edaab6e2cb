"""Checks the tables of a pipeline file: names, models, maps and history tables that would be one.

Does not ask the source whether a table or column exists: loading touches no network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stenograph.events import TableId
from stenograph.pipeline.document import Document, Place
from stenograph.pipeline.faults import Fault, shown, suggestion
from stenograph.pipeline.models import MODEL_NAME, folder_of, model_files, names_in
from stenograph.pipeline.settings import TableSettings, validated
from stenograph.resources import bundled
from stenograph.schemas import Model


def history_name(table: TableId, model: str | None) -> str:
    """The history table: `<model>_history`, or `<schema>_<table>_history` for a table in its own shape.

    A character that some warehouse refuses in a name becomes `_`.
    """
    return re.sub(r"[^A-Za-z0-9_]", "_", f"{model or f'{table.schema}_{table.name}'}_history")


@dataclass(slots=True)
class TableReading:
    """One reading of the `tables` section: what was found, and every fault in it."""

    document: Document
    project: Path
    faults: list[Fault]
    tables: dict[TableId, TableSettings] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    earlier: dict[str, tuple[Model, ...]] = field(default_factory=dict)
    _broken: set[str] = field(default_factory=set)
    _taken: dict[str, tuple[TableId, str | None]] = field(default_factory=dict)

    def read(self) -> None:
        """Fill `tables` and `models`; where anything is wrong, `faults` has grown."""
        if "tables" not in self.document.data:
            self._fault((), 'missing; name the tables to follow, as in "public.lead: {}"', "tables")
            return
        section = self.document.data["tables"]
        if not section and not isinstance(section, str | bool):
            self._fault(("tables",), 'names no table; write for instance "public.lead: {}"')
        elif not isinstance(section, Mapping):
            self._fault(("tables",), 'must be a mapping, as in "public.lead: {model: lead}"')
        else:
            for name, values in section.items():
                self._table(str(name), values)

    def _table(self, name: str, values: object) -> None:
        place = ("tables", name)
        table = self._table_id(name)
        if values is not None and not isinstance(values, Mapping):
            self._fault(place, "must be a mapping, as in {model: lead}, or {} for the table's own shape")
            return
        settings = validated(TableSettings, values or {}, self.document, place, self.faults)
        model = (values or {}).get("model")
        if isinstance(model, str):
            self._model(place, model)
        if settings is None:
            return
        self._columns(place, settings)
        if table is not None:
            self._name(place, table, settings.model)
            self.tables[table] = settings

    def _table_id(self, name: str) -> TableId | None:
        schema, dot, table = name.partition(".")
        if schema.strip() and not dot:
            self._fault(("tables", name), f'must name the schema too, as in "public.{shown(name)}"')
        elif not schema.strip() or not table.strip() or "." in table or name != name.strip() or "\0" in name:
            self._fault(("tables", name), 'must be "schema.table", as in "public.lead"')
        elif not (schema + table).isprintable():
            self._fault(("tables", name), "holds a character that no table name can hold")
        else:
            return TableId(schema, table)
        return None

    def _model(self, place: Place, name: str) -> None:
        if name in self.models or name in self._broken:
            return
        if not MODEL_NAME.fullmatch(name):
            self._fault((*place, "model"), "must be small letters, digits and _, as in lead")
        elif (folder := folder_of(name, self.project)) is None:
            known = {*names_in(self.project / "schemas"), *names_in(bundled("schemas"))}
            close = suggestion(name, known) or f"; there are {', '.join(sorted(known)) or 'none'}"
            self._fault((*place, "model"), f'no model "{shown(name)}" in schemas/{close}')
        else:
            found, wrong = model_files(folder, name)
            self.faults.extend(wrong)
            if not wrong:
                *earlier, newest = (each.model for each in found)
                self.models[name], self.earlier[name] = newest, tuple(earlier)
        if name not in self.models:
            self._broken.add(name)

    def _columns(self, place: Place, settings: TableSettings) -> None:
        if settings.model is None:
            if settings.map:
                self._fault((*place, "map"), "needs a model; a table in its own shape keeps its column names")
        elif model := self.models.get(settings.model):
            self._against(model, place, settings)
        targets: dict[str, str] = {}
        for column, target in settings.map.items():
            if target in targets:
                taken = f'"{shown(target)}" is filled from "{shown(targets[target])}" already'
                self._fault((*place, "map", column), taken)
            targets[target] = column
        if isinstance(settings.unheld, dict) and settings.model in self.models:
            fields = [column.name for column in self.models[settings.model].shape.columns]
            for column in settings.unheld:
                if column not in fields:
                    wrong = f'"{shown(column)}" is no field of the model {settings.model}'
                    self._fault((*place, "unheld", column), wrong + suggestion(column, fields))
        for number, column in enumerate(settings.track):
            if column in settings.track[:number]:
                self._fault((*place, "track", number), f'"{shown(column)}" is named twice')

    def _against(self, model: Model, place: Place, settings: TableSettings) -> None:
        fields = [column.name for column in model.shape.columns]
        for column, target in settings.map.items():
            if target not in fields:
                wrong = f'"{shown(target)}" is no field of the model {model.name}'
                self._fault((*place, "map", column), wrong + suggestion(target, fields))
        for number, column in enumerate(settings.track):
            if column not in fields:
                mapped = settings.map.get(column)
                close = f'; the model calls it "{shown(mapped)}"' if mapped else suggestion(column, fields)
                wrong = f'"{shown(column)}" is no field of the model {model.name}'
                self._fault((*place, "track", number), wrong + close)

    def _name(self, place: Place, table: TableId, model: str | None) -> None:
        history = history_name(table, model)
        other = self._taken.setdefault(history.casefold(), (table, model))
        if other[0] == table:
            return
        if other[1] == model and model is not None:
            self._fault(
                (*place, "model"),
                f'"{shown(model)}" is fed by {shown(str(other[0]))} already; one source feeds a model from one table',
            )
        else:
            self._fault(place, f"its history table {history} would be that of {shown(str(other[0]))} too")

    def _fault(self, place: Place, message: str, path: str = "") -> None:
        fault = self.document.fault(place, message)
        self.faults.append(Fault(fault.file, fault.line, path, message) if path else fault)
