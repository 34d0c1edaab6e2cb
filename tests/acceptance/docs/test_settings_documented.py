"""docs/operators/configuration.md names every setting with its default, and none that does not exist."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stenograph.assembly.kinds import KINDS
from stenograph.logs.embedded.adapter import EmbeddedLogAdapter
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.pipeline.model import DEFAULT_LOG, DEFAULT_WAREHOUSE, TableSettings
from stenograph.pipeline.site import Site
from stenograph.sources.postgres.settings import PostgresSettings
from stenograph.warehouses.duckdb.adapter import DuckDBAdapter
from stenograph.warehouses.duckdb.settings import DuckDBSettings
from tests.documents import ROOT, inline_code, rows, sections

PAGE = ROOT / "docs" / "operators" / "configuration.md"
REQUIRED = "required"
TABLES = "`tables`: each table"

_POSTGRES = PostgresSettings.model_validate({"kind": "postgres", "name": "name", "dsn": "env:URL"})
_SITE = Site("PIPELINE", Path())
DERIVED: Mapping[tuple[str, str], str] = {
    ("`source`, kind `postgres`", "slot"): _POSTGRES.slot_name.replace("_name", "_<name>"),
    ("`source`, kind `postgres`", "publication"): _POSTGRES.publication_name.replace("_name", "_<name>"),
    ("`log`, kind `embedded`", "path"): str(
        EmbeddedLogAdapter(EmbeddedLogSettings(kind="embedded"), _SITE)._path
    ).replace("PIPELINE", "<pipeline>"),
    ("`warehouse`, kind `duckdb`", "path"): str(
        DuckDBAdapter(DuckDBSettings(kind="duckdb"), _SITE)._path
    ).replace("PIPELINE", "<pipeline>"),
}
"""What a setting is where the file leaves it out and another setting decides."""


def models() -> dict[str, type[BaseModel]]:
    """Heading to the settings that its table must hold."""
    found: dict[str, type[BaseModel]] = {TABLES: TableSettings}
    for section, kinds in (("source", KINDS.sources), ("log", KINDS.logs), ("warehouse", KINDS.warehouses)):
        found |= {f"`{section}`, kind `{kind}`": settings for kind, settings in kinds.items()}
    return found


def documented(heading: str) -> dict[str, str]:
    """Setting to default, as the heading's table has them."""
    table = [row for row in rows(sections(PAGE, 2)[heading]) if len(row) == 3 and row[0] != "Setting"]
    return {inline_code(name)[0]: default for name, default, _ in table}


def default_of(heading: str, name: str, field: FieldInfo) -> str:
    """The default as the page should have it."""
    if name == "kind":
        defaults = {"log": DEFAULT_LOG, "warehouse": DEFAULT_WAREHOUSE}
        section = inline_code(heading)[0]
        return f"`{defaults[section]}`" if section in defaults else REQUIRED
    if field.is_required():
        return REQUIRED
    if field.default is None:
        return f"`{DERIVED[heading, name]}`" if (heading, name) in DERIVED else "none"
    return f"`{field.default if isinstance(field.default, str) else json.dumps(field.default)}`"


@pytest.mark.parametrize("heading", models())
def test_every_setting_stands_there_with_its_default_and_no_other(heading: str) -> None:
    settings = models()[heading]
    expected = {name: default_of(heading, name, field) for name, field in settings.model_fields.items()}
    assert documented(heading) == expected


def test_there_is_no_table_of_a_kind_that_does_not_exist() -> None:
    with_settings = {
        name for name, text in sections(PAGE, 2).items() if any(row[0] == "Setting" for row in rows(text))
    }
    assert with_settings == {*models(), "The file"}


def test_the_sections_of_a_file_are_all_there() -> None:
    said = documented("The file")
    assert set(said) == {"source", "tables", "log", "warehouse"}
    assert said["log"] == f"`{{kind: {DEFAULT_LOG}}}`"
    assert said["warehouse"] == f"`{{kind: {DEFAULT_WAREHOUSE}}}`"
    assert said["source"] == REQUIRED
    assert said["tables"].startswith(REQUIRED)
