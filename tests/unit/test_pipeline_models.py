"""A model is the newest version in its folder, or a list of what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stenograph.pipeline import ConfigurationFaults, all_models, load_model
from stenograph.schemas import ColumnType, Kind

ROOT = Path(__file__).resolve().parents[2]
ID: dict[str, object] = {"name": "id", "type": "long"}


def lead(*fields: object, **record: object) -> str:
    return json.dumps(
        {"type": "record", "name": "lead", "steno.key": ["id"], "fields": [ID, *fields]} | record, indent=1
    )


def write(schemas: Path, text: str, version: str = "v1.avsc", name: str = "lead") -> None:
    (schemas / name).mkdir(exist_ok=True)
    (schemas / name / version).write_text(text)


def faults(schemas: Path, name: str = "lead") -> list[tuple[str, int | None, str, str]]:
    with pytest.raises(ConfigurationFaults) as refusal:
        load_model(schemas, name)
    return [(fault.file.name, fault.line, fault.path, fault.message) for fault in refusal.value.faults]


def test_the_shipped_models_are_sound_and_documented() -> None:
    contact, lead_model = all_models(ROOT / "schemas")
    assert (contact.name, lead_model.name) == ("contact", "lead")
    for model in (contact, lead_model):
        assert model.shape.key == ("id",)
        assert model.required == {"id"}
        record = json.loads((ROOT / "schemas" / model.name / f"v{model.version}.avsc").read_text())
        assert all(field["doc"].endswith(".") for field in record["fields"])
    amount = lead_model.shape.column("amount")
    assert amount is not None
    assert amount.type == ColumnType(Kind.DECIMAL, 12, 2)


def test_the_newest_version_is_taken_by_number(tmp_path: Path) -> None:
    for number in range(1, 11):
        write(tmp_path, lead(), f"v{number}.avsc")
    write(tmp_path, lead({"name": "email", "type": ["null", "string"], "default": None}), "v10.avsc")
    model = load_model(tmp_path, "lead")
    assert model.version == 10
    assert [column.name for column in model.shape.columns] == ["id", "email"]


def test_a_field_with_neither_null_nor_default_is_required(tmp_path: Path) -> None:
    write(
        tmp_path,
        lead({"name": "stage", "type": "string", "default": "new"}, {"name": "name", "type": "string"}),
    )
    assert load_model(tmp_path, "lead").required == {"id", "name"}


def test_a_missing_model_is_refused_with_a_near_name(tmp_path: Path) -> None:
    write(tmp_path, lead())
    assert faults(tmp_path, "leed") == [(tmp_path.name, None, "leed", 'no such model; did you mean "lead"?')]
    assert faults(tmp_path, "../lead")[0][2] == "../lead"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"type": "record",\n "name": }', (2, "", "not JSON: Expecting value")),
        ("[" * 100_000, (None, "", "not JSON in UTF-8 that can be read")),
        ('"string"', (1, "", 'must be a record: {"type": "record", "name": ..., "fields": [...]}')),
        (lead(name="contact"), (3, "name", 'must be "lead", as its folder is called')),
        (lead(fields=[]), (7, "fields", "must be a list of at least one field")),
        (lead(fields={}), (7, "fields", "must be a list of at least one field")),
        (lead(7), (7, "fields[1]", "must have a name of letters, digits and _")),
        (lead({"name": "a-b", "type": "int"}), (7, "fields[1]", "must have a name of letters, digits and _")),
        (lead({"name": "age"}), (13, "fields.age", "has no type")),
        (
            lead({"name": "age", "type": "integer"}),
            (13, "fields.age.type", "a type that no column can hold: integer"),
        ),
        (
            lead({"name": "age", "type": ["int", "string"]}),
            (13, "fields.age.type", "a type that no column can hold: a union of 2 types"),
        ),
        (
            lead({"name": "age", "type": {"type": "array"}}),
            (13, "fields.age.type", "a type that no column can hold"),
        ),
        (
            lead({"name": "age", "type": {"type": "bytes", "logicalType": "decimal"}}),
            (13, "fields.age.type", "a type that no column can hold: a decimal without precision"),
        ),
        (
            lead({"name": "ID", "type": "long"}),
            (13, "fields.ID", "named twice; upper and lower case are the same name in a warehouse"),
        ),
        (
            lead({"name": "_steno_op", "type": "long"}),
            (13, "fields._steno_op", "names that begin with _steno are history's own"),
        ),
        (
            lead(**{"steno.key": ["idd"]}),
            (4, "steno.key", '"idd" names no field of the model; did you mean "id"?'),
        ),
        (
            lead(**{"steno.key": None}),
            (4, "steno.key", 'missing or not a list of field names, as in "steno.key": ["id"]'),
        ),
        (
            lead(**{"steno.key": "id"}),
            (4, "steno.key", 'missing or not a list of field names, as in "steno.key": ["id"]'),
        ),
        (lead(**{"steno.key": ["id", "id"]}), (4, "steno.key", "names a field twice")),
        (
            lead(fields=[{"name": "id", "type": ["null", "long"]}]),
            (9, "fields.id", "is part of the key, so it must not take null"),
        ),
    ],
)
def test_each_wrong_model_is_named_with_its_line(
    tmp_path: Path, text: str, expected: tuple[int | None, str, str]
) -> None:
    write(tmp_path, text)
    assert faults(tmp_path) == [("v1.avsc", *expected)]


def test_a_wrong_default_is_refused_as_avro(tmp_path: Path) -> None:
    write(tmp_path, lead({"name": "age", "type": "int", "default": "old"}))
    ((file, _, _, message),) = faults(tmp_path)
    assert (file, message) == ("v1.avsc", "has a default that is no int")


def test_several_faults_of_one_model_come_at_once(tmp_path: Path) -> None:
    write(tmp_path, lead({"name": "a", "type": "x"}, {"name": "b"}, name="Lead"))
    assert [path for _, _, path, _ in faults(tmp_path)] == ["name", "fields.a.type", "fields.b"]


def test_versions_have_no_gap_and_no_other_names(tmp_path: Path) -> None:
    write(tmp_path, lead(), "v900000000.avsc")
    write(tmp_path, lead(), "v01.avsc")
    assert faults(tmp_path) == [
        ("v01.avsc", None, "", "must be called v<number>.avsc, as in v1.avsc"),
        ("lead", None, "", "v1.avsc is missing; versions are counted from 1 and never removed"),
    ]


def test_a_folder_without_a_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lead").mkdir()
    assert faults(tmp_path) == [("lead", None, "", "holds no version of the model; the first is v1.avsc")]


def test_all_models_of_a_folder_are_read_or_refused_together(tmp_path: Path) -> None:
    assert all_models(tmp_path / "none") == ()
    write(tmp_path, "{", name="a")
    write(tmp_path, "{", name="b")
    with pytest.raises(ConfigurationFaults) as refusal:
        all_models(tmp_path)
    assert [fault.file.parent.name for fault in refusal.value.faults] == ["a", "b"]
