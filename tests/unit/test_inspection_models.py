"""`steno schemas`: what models there are, and whether each version follows from the one before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stenograph.assembly import Wiring, load_pipeline
from stenograph.cli.app import app
from stenograph.cli.exits import Exit
from stenograph.inspection import check_models, listed_models
from stenograph.pipeline import ConfigurationFaults
from tests.change_samples import LEAD, encoder_of
from tests.documents import ROOT, inline_code, rows, sections

ID: Mapping[str, object] = {"name": "id", "type": "long"}
SHIPPED = {"contact", "lead"}


def write(project: Path, name: str, version: int, *fields: Mapping[str, object], **record: object) -> None:
    folder = project / "schemas" / name
    folder.mkdir(parents=True, exist_ok=True)
    schema = {"type": "record", "name": name, "steno.key": ["id"], "fields": [ID, *fields]} | record
    (folder / f"v{version}.avsc").write_text(json.dumps(schema, indent=1), encoding="utf-8")


def faults(project: Path) -> list[tuple[str, int | None, str, str]]:
    return [(fault.file.name, fault.line, fault.path, fault.message) for fault in check_models(project)[1]]


def test_the_models_that_ship_are_sound_in_every_version() -> None:
    versions, found = check_models(ROOT)
    assert found == ()
    assert {each.model.name for each in versions} >= SHIPPED


def test_a_version_may_add_what_has_a_default_drop_a_field_and_promote_a_type(tmp_path: Path) -> None:
    write(tmp_path, "deal", 1, {"name": "amount", "type": "int"}, {"name": "old", "type": "string"})
    write(
        tmp_path, "deal", 2, {"name": "amount", "type": "long"}, {"name": "new", "type": "int", "default": 0}
    )
    assert faults(tmp_path) == []


def test_a_promotion_that_history_cannot_follow_is_a_fault(tmp_path: Path) -> None:
    write(tmp_path, "deal", 1, {"name": "amount", "type": "long"}, {"name": "rate", "type": "float"})
    write(tmp_path, "deal", 2, {"name": "amount", "type": "double"}, {"name": "rate", "type": "double"})
    ((file, line, path, message),) = faults(tmp_path)
    assert (file, path) == ("v2.avsc", "fields.amount")
    assert line is not None
    assert message.startswith("history cannot widen int64, as v1 has it, to float64 without loss")


def test_a_default_that_no_column_can_hold_is_a_fault(tmp_path: Path) -> None:
    write(tmp_path, "deal", 1)
    infinite = {"type": "long", "logicalType": "timestamp-micros"}
    write(tmp_path, "deal", 2, {"name": "at", "type": infinite, "default": 2**63 - 1})
    assert [path for _, _, path, _ in faults(tmp_path)] == ["fields.at"]


def test_a_list_names_the_tables_that_feed_the_newest_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "crm.yaml").write_text(
        "source: {kind: postgres, name: crm, dsn: env:CRM_URL}\ntables:\n  public.lead: {model: lead}\n",
        encoding="utf-8",
    )
    _, said = ask("list")
    fed = {(each["name"], each["version"]): each["tables"] for each in said["models"]}
    assert fed[("lead", 2)] == ["crm public.lead"]
    assert fed[("lead", 1)] == fed[("contact", 2)] == []


def test_every_misfit_of_every_version_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, "deal", 1, {"name": "amount", "type": "long"})
    write(tmp_path, "deal", 2, {"name": "amount", "type": "int"}, {"name": "stage", "type": "string"})
    write(tmp_path, "deal", 3, {"name": "amount", "type": "string"}, **{"steno.key": ["amount"]})
    text = (tmp_path / "schemas" / "deal" / "v2.avsc").read_text(encoding="utf-8").splitlines()
    found = faults(tmp_path)
    assert found[:2] == [
        (
            "v2.avsc",
            text.index('   "name": "amount",') + 1,
            "fields.amount",
            "cannot read what v1 wrote: long cannot be read as int",
        ),
        (
            "v2.avsc",
            text.index('   "name": "stage",') + 1,
            "fields.stage",
            "cannot read what v1 wrote: the field is new and has no default",
        ),
    ]
    assert [(file, path) for file, _, path, _ in found[2:]] == [
        ("v3.avsc", "fields.amount"),
        ("v3.avsc", "steno.key"),
    ]


def test_a_gap_in_the_versions_and_files_that_are_no_models_are_told(tmp_path: Path) -> None:
    write(tmp_path, "deal", 1)
    write(tmp_path, "deal", 3, {"name": "stage", "type": "string"})
    (tmp_path / "schemas" / "Account").mkdir()
    (tmp_path / "schemas" / "stray.avsc").write_text("{}")
    (tmp_path / "schemas" / "deal" / "v4.avsc").write_text("{\n\n,")
    messages = [f"{file} {message}" for file, _, _, message in faults(tmp_path)]
    assert any("v2.avsc is missing" in message for message in messages)
    assert any(message.startswith("Account ") for message in messages)
    assert any(message.startswith("stray.avsc ") for message in messages)
    assert any(message.startswith("v4.avsc not JSON") for message in messages)
    # Versions with a hole between them are not compared: what stood there is unknown.
    assert not any("cannot read" in message for message in messages)


def test_a_project_s_model_goes_before_the_one_that_ships(tmp_path: Path) -> None:
    write(tmp_path, "lead", 1)
    homes = {each.model.name: each.home.value for each in listed_models(tmp_path)}
    assert homes == {"contact": "shipped", "lead": "project"}


def test_a_faulty_file_refuses_the_list(tmp_path: Path) -> None:
    write(tmp_path, "deal", 1, fields=[])
    with pytest.raises(ConfigurationFaults):
        listed_models(tmp_path)


def ask(*words: str) -> tuple[int, dict[str, Any]]:
    answer = CliRunner().invoke(app, ["schemas", *words, "--json"], catch_exceptions=False)
    return answer.exit_code, json.loads(answer.stdout)


def documented(command: str) -> dict[str, str]:
    found = rows(sections(ROOT / "docs" / "operators" / "commands.md", 2)[command])
    start = next(index for index, row in enumerate(found) if row[0] == "JSON field")
    return {inline_code(row[0])[0]: row[1] for row in found[start + 1 :]}


def test_the_check_command_ends_with_0_or_with_2_and_every_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ask("check")[0] == Exit.DONE
    write(tmp_path, "deal", 1)
    write(tmp_path, "deal", 2, {"name": "stage", "type": "string"})
    code, said = ask("check")
    assert (code, said["ok"], len(said["faults"])) == (Exit.CONFIGURATION, False, 1)
    assert list(documented("schemas check")) == list(said)
    assert all(f"`{name}`" in documented("schemas check")["faults"] for name in said["faults"][0])
    refused = CliRunner().invoke(app, ["schemas", "check"])
    assert isinstance(refused.exception, ConfigurationFaults)


def test_the_list_command_shows_models_and_the_registry_s_subjects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = ask("list")
    assert (code, said["subjects"]) == (Exit.DONE, [])
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "crm.yaml").write_text(
        "source: {kind: postgres, name: crm, dsn: env:CRM_URL}\ntables:\n  public.lead:\n", encoding="utf-8"
    )
    encoder_of(LEAD, Wiring.of(load_pipeline("crm", tmp_path)).registry())
    for words in (["list"], ["list", "-p", "crm"]):
        code, said = ask(*words)
        assert [(each["subject"], each["columns"]) for each in said["subjects"]] == [
            ("crm.public.lead-key", ["id"]),
            ("crm.public.lead-value", ["id", "status", "score", "notes"]),
        ]
    assert list(documented("schemas list")) == list(said)
    for name in ("models", "subjects"):
        assert all(f"`{field}`" in documented("schemas list")[name] for field in said[name][0])
    assert all(
        f"`{field}`" in documented("schemas list")["models"] for field in said["models"][0]["fields"][0]
    )
    shown = CliRunner().invoke(app, ["schemas", "list"])
    assert "crm.public.lead-value" in shown.stdout
    assert "id int64" in shown.stdout
