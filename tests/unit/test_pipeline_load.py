"""A pipeline file is read whole or refused whole, each fault with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stenograph.errors import Action
from stenograph.events import TableId
from stenograph.pipeline import ConfigurationFaults, describe, load, plans
from tests.pipeline_kinds import KINDS, VALID, BoatSource, FileLog, FileWarehouse, loaded, written

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "source: {kind: boat, name: crm, dsn: env:CRM_URL}\n"
TABLES = "tables: {public.deal: {}}\n"
ADVICE = "put it into an environment variable and write env:NAME, or into a file and write file:/path"


def faults(folder: Path, text: str) -> list[tuple[int | None, str, str]]:
    with pytest.raises(ConfigurationFaults) as refusal:
        loaded(folder, text)
    return [(fault.line, fault.path, fault.message) for fault in refusal.value.faults]


def test_a_valid_file_is_a_pipeline(tmp_path: Path) -> None:
    pipeline = loaded(tmp_path, VALID)
    assert (pipeline.name, pipeline.folder, pipeline.source_name) == ("crm", tmp_path, "crm")
    assert (pipeline.source_kind, pipeline.log_kind, pipeline.warehouse_kind) == (
        "boat",
        "embedded",
        "duckdb",
    )
    assert isinstance(pipeline.source, BoatSource)
    assert pipeline.log == FileLog()
    assert pipeline.warehouse == FileWarehouse()
    assert list(pipeline.tables) == [TableId("public", "lead"), TableId("public", "deal")]
    assert pipeline.models["lead"].shape.key == ("id",)


def test_a_file_outside_a_pipelines_folder_has_its_own_folder_as_project(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(SOURCE + TABLES)
    pipeline = load(file, KINDS)
    assert (pipeline.name, pipeline.folder) == ("mine", tmp_path)


def test_the_demonstration_file_loads(tmp_path: Path) -> None:
    text = (ROOT / "pipelines" / "demo.yaml").read_text().replace("kind: postgres", "kind: boat")
    assert [plan.history for plan in plans(loaded(tmp_path, text))] == [
        "lead_history",
        "contact_history",
        "public_deal_history",
    ]


def test_every_table_has_its_plan(tmp_path: Path) -> None:
    lead, deal = plans(loaded(tmp_path, VALID))
    assert (lead.source, lead.topic, lead.history) == ("crm", "crm.public.lead", "lead_history")
    assert lead.model is not None
    assert (lead.model.name, dict(lead.renames), lead.track) == ("lead", {"state": "status"}, ("status",))
    assert (deal.topic, deal.history, deal.model) == ("crm.public.deal", "public_deal_history", None)


def test_a_name_that_no_warehouse_takes_is_written_with_underscores(tmp_path: Path) -> None:
    (plan,) = plans(loaded(tmp_path, SOURCE + 'tables: {"public.big deal": {}}'))
    assert (plan.table, plan.topic) == (TableId("public", "big deal"), "crm.public.big_deal")
    assert plan.history == "public_big_deal_history"


def test_the_project_s_own_model_comes_before_the_shipped_one(tmp_path: Path) -> None:
    own = tmp_path / "schemas" / "lead" / "v1.avsc"
    own.parent.mkdir(parents=True)
    own.write_text(
        '{"type": "record", "name": "lead", "steno.key": ["no"], "fields": [{"name": "no", "type": "int"}]}'
    )
    pipeline = loaded(
        tmp_path, SOURCE + "tables: {public.lead: {model: lead}, public.contact: {model: contact}}"
    )
    assert pipeline.models["lead"].shape.key == ("no",)
    assert pipeline.models["contact"].shape.key == ("id",)


def test_a_description_is_json_with_every_default_and_only_references(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_URL", "postgresql://reader:hunter2@db/crm")
    description = describe(loaded(tmp_path, VALID))
    plain = {"keep_before": False, "evolution": "evolve", "unheld": "text", "on_rewrite": "snapshot"}
    assert json.loads(json.dumps(description)) == {
        "name": "crm",
        "file": str(tmp_path / "pipelines" / "crm.yaml"),
        "source": {
            "kind": "boat",
            "name": "crm",
            "dsn": "env:CRM_URL",
            "token": None,
            "note": None,
            "port": 5432,
        },
        "tables": {
            "public.lead": {
                "model": "lead",
                "map": {"state": "status"},
                "track": ["status"],
                **plain,
            },
            "public.deal": {"model": None, "map": {}, "track": [], **plain},
        },
        "log": {"kind": "embedded", "path": ".steno/log.db"},
        "warehouse": {"kind": "duckdb", "path": ".steno/history.db", "read_only": False},
    }


MANY_FAULTS = """\
sources: {}
source:
  kind: boat
  nmae: crm
  dsn: postgresql://reader:hunter2@db/crm
  port: many
  port: 1
tables:
  lead: {}
  public.lead:
    model: leed
  public.deal:
    kep_before: yes
    track: status
log:
  kind: kafak
warehouse: duckdb
"""


def test_all_faults_of_a_file_come_at_once_with_their_lines(tmp_path: Path) -> None:
    assert faults(tmp_path, MANY_FAULTS) == [
        (1, "sources", 'unknown setting; did you mean "source"?'),
        (2, "source.name", "missing; it has no default"),
        (4, "source.nmae", 'unknown setting; did you mean "name"?'),
        (
            5,
            "source.dsn",
            f"holds a password, which must not stand in this file: {ADVICE}",
        ),
        (6, "source.port", "must be a whole number"),
        (7, "source.port", "written twice; the first is on line 6"),
        (9, "tables.lead", 'must name the schema too, as in "public.lead"'),
        (11, "tables.public.lead.model", 'no model "leed" in schemas/; did you mean "lead"?'),
        (13, "tables.public.deal.kep_before", 'unknown setting; did you mean "keep_before"?'),
        (14, "tables.public.deal.track", "must be a list, as in [status, owner_id]"),
        (16, "log.kind", 'unknown kind "kafak"; known: embedded'),
        (17, "warehouse", "must be a mapping with its kind on a line below; known: duckdb"),
    ]


def test_faults_read_as_lines_with_file_line_path_and_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationFaults) as refusal:
        loaded(tmp_path, "source:\n  kind: boat\n  nmae: crm\n  dsn: env:CRM_URL\n" + TABLES)
    assert str(refusal.value).splitlines() == [
        "2 faults in pipelines/crm.yaml.",
        "pipelines/crm.yaml:1  source.name  missing; it has no default",
        'pipelines/crm.yaml:3  source.nmae  unknown setting; did you mean "name"?',
    ]
    assert refusal.value.action is Action.STOP
    assert "steno check" in refusal.value.hint


def test_one_fault_is_not_called_faults(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationFaults, match=r"^1 fault in "):
        loaded(tmp_path, SOURCE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (None, "", "the file is empty; it needs `source:` and `tables:`")),
        ("# only a comment\n", (None, "", "the file is empty; it needs `source:` and `tables:`")),
        ("- a\n- b\n", (1, "", "must be a mapping: `source:`, `tables:` and so on")),
        ("just words", (1, "", "must be a mapping: `source:`, `tables:` and so on")),
        (SOURCE + "tables:\n\tpublic.deal: {}\n", (3, "", "not YAML: a tab; indent with spaces")),
        (
            SOURCE + "tables: {public.deal: {}\n",
            (3, "", "not YAML: expected ',' or '}', but got '<stream end>'"),
        ),
        (SOURCE + TABLES + "---\na: 1\n", (3, "", "must be one YAML document; remove this `---`")),
        (
            SOURCE + TABLES + "log: *x\nwarehouse: {}\n",
            (3, "", "not YAML: an alias (*name); write the value out"),
        ),
        (SOURCE + TABLES + "log: \x00\n", (3, "", "not YAML: a character that no text file holds")),
        (
            SOURCE + TABLES + 'log: "\\Uffffffff"\n',
            (None, "", "not YAML that can be read: nested too deeply, or an impossible escape"),
        ),
        (
            SOURCE + TABLES + "log: !!python/name:os.system {}\n",
            (3, "log", "a value with the tag tag:yaml.org,2002:python/name:os.system is not understood"),
        ),
        (
            SOURCE + TABLES + "log: {path: !!int x}\n",
            (3, "log.path", "not a value that is understood; put it in quotes if it is text"),
        ),
        (SOURCE + TABLES + "? [a]\n: 1\n", (3, "", "a key must be a word, not a list or a mapping")),
        (SOURCE + TABLES + SOURCE, (3, "source", "written twice; the first is on line 1")),
        (SOURCE + TABLES + "no: {}\n", (3, "no", "unknown setting")),
    ],
)
def test_what_is_not_a_yaml_mapping_is_refused_with_its_line(
    tmp_path: Path, text: str, expected: tuple[int | None, str, str]
) -> None:
    assert expected in faults(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TABLES, (1, "source", "missing; a pipeline has one; known: boat")),
        ("source:\n" + TABLES, (1, "source", "must be a mapping with its kind on a line below; known: boat")),
        ("source: {name: crm}\n" + TABLES, (1, "source.kind", "missing; known: boat")),
        ("source: {kind: 7}\n" + TABLES, (1, "source.kind", 'unknown kind "7"; known: boat')),
        (
            "source: {kind: boats}\n" + TABLES,
            (1, "source.kind", 'unknown kind "boats"; did you mean "boat"?; known: boat'),
        ),
        (
            "source: {kind: boat, name: 7, dsn: a}\n" + TABLES,
            (1, "source.name", "must be text; put it in quotes"),
        ),
        (
            "source: {kind: boat, name: , dsn: a}\n" + TABLES,
            (1, "source.name", "has no value; give one, or remove the line"),
        ),
        (
            "source: {kind: boat, name: 7up, dsn: a}\n" + TABLES,
            (1, "source.name", "must be a letter, then letters, digits, _ or -"),
        ),
        ("source: {kind: boat, name: crm, dsn: a, port: 13}\n" + TABLES, (1, "source.port", "is unlucky")),
        (
            "source: {kind: boat, name: crm, dsn: a, port: 0}\n" + TABLES,
            (1, "source.port", "must be at least 1"),
        ),
        (
            "source: {kind: boat, name: crm, dsn: []}\n" + TABLES,
            (1, "source.dsn", "must be text such as env:NAME or file:/path"),
        ),
        (
            SOURCE + TABLES + "warehouse: {read_only: maybe}\n",
            (3, "warehouse.read_only", "must be true or false"),
        ),
        (SOURCE, (1, "tables", 'missing; name the tables to follow, as in "public.lead: {}"')),
        (SOURCE + "tables:\n", (2, "tables", 'names no table; write for instance "public.lead: {}"')),
        (SOURCE + "tables: {}\n", (2, "tables", 'names no table; write for instance "public.lead: {}"')),
        (
            SOURCE + "tables: [public.lead]\n",
            (2, "tables", 'must be a mapping, as in "public.lead: {model: lead}"'),
        ),
        (
            SOURCE + "tables:\n  lead: {}\n",
            (3, "tables.lead", 'must name the schema too, as in "public.lead"'),
        ),
        (
            SOURCE + "tables:\n  crm.public.lead: {}\n",
            (3, "tables.crm.public.lead", 'must be "schema.table", as in "public.lead"'),
        ),
        (
            SOURCE + "tables:\n  .lead: {}\n",
            (3, "tables..lead", 'must be "schema.table", as in "public.lead"'),
        ),
        (
            SOURCE + "tables:\n  public.lead: lead\n",
            (
                3,
                "tables.public.lead",
                "must be a mapping, as in {model: lead}, or {} for the table's own shape",
            ),
        ),
        (
            SOURCE + "tables:\n  public.lead: {model: ../lead}\n",
            (3, "tables.public.lead.model", "must be small letters, digits and _, as in lead"),
        ),
        (
            SOURCE + "tables:\n  public.lead: {model: zebra}\n",
            (3, "tables.public.lead.model", 'no model "zebra" in schemas/; there are contact, lead'),
        ),
        (
            SOURCE + "tables:\n  public.lead: {map: {a: b}}\n",
            (3, "tables.public.lead.map", "needs a model; a table in its own shape keeps its column names"),
        ),
        (
            SOURCE + "tables:\n  public.lead: {model: lead, map: {a: emial}}\n",
            (3, "tables.public.lead.map.a", '"emial" is no field of the model lead; did you mean "email"?'),
        ),
        (
            SOURCE + "tables:\n  public.lead: {model: lead, map: {a: email, b: email}}\n",
            (3, "tables.public.lead.map.b", '"email" is filled from "a" already'),
        ),
        (
            SOURCE + "tables:\n  public.lead: {model: lead, track: [stats]}\n",
            (
                3,
                "tables.public.lead.track[0]",
                '"stats" is no field of the model lead; did you mean "status"?',
            ),
        ),
        (
            SOURCE + "tables:\n  public.lead: {model: lead, map: {state: status}, track: [state]}\n",
            (
                3,
                "tables.public.lead.track[0]",
                '"state" is no field of the model lead; the model calls it "status"',
            ),
        ),
        (
            SOURCE + "tables:\n  public.lead: {track: [a, b, a]}\n",
            (3, "tables.public.lead.track[2]", '"a" is named twice'),
        ),
        (
            SOURCE + "tables:\n  public.lead: {model: lead}\n  old.lead: {model: lead}\n",
            (
                4,
                "tables.old.lead.model",
                '"lead" is fed by public.lead already; one source feeds a model from one table',
            ),
        ),
        (
            SOURCE + "tables:\n  a.b_c: {}\n  a_b.c: {}\n",
            (4, "tables.a_b.c", "its history table a_b_c_history would be that of a.b_c too"),
        ),
        (
            SOURCE + "tables:\n  a.Lead: {}\n  a.lead: {}\n",
            (4, "tables.a.lead", "its history table a_lead_history would be that of a.Lead too"),
        ),
    ],
)
def test_each_wrong_setting_is_named_with_its_line(
    tmp_path: Path, text: str, expected: tuple[int | None, str, str]
) -> None:
    assert faults(tmp_path, text) == [expected]


def test_a_file_of_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    file = written(tmp_path, "")
    file.write_bytes(b"source:\n  name: M\xfcller\n")
    with pytest.raises(ConfigurationFaults) as refusal:
        load(file, KINDS)
    assert [(fault.line, fault.message) for fault in refusal.value.faults] == [(2, "not UTF-8 text")]


def test_a_missing_file_a_folder_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"#" * (1 << 20) + b"\n")
    for file, words in [
        (tmp_path / "none.yaml", "No such file"),
        (tmp_path, "Is a directory"),
        (huge, "larger than 1 MiB"),
    ]:
        with pytest.raises(ConfigurationFaults, match=words):
            load(file, KINDS)


def test_a_model_that_is_not_there_is_named_beside_other_faults_of_its_table(tmp_path: Path) -> None:
    text = SOURCE + "tables:\n  a.lead: {model: leed, evolution: melt}\n"
    assert faults(tmp_path, text) == [
        (3, "tables.a.lead.evolution", "must be 'evolve', 'freeze' or 'ignore'"),
        (3, "tables.a.lead.model", 'no model "leed" in schemas/; did you mean "lead"?'),
    ]


def test_faults_of_a_model_stand_beside_those_of_the_file(tmp_path: Path) -> None:
    broken = tmp_path / "schemas" / "lead" / "v1.avsc"
    broken.parent.mkdir(parents=True)
    broken.write_text('{\n"type": "record",,\n}')
    text = SOURCE + "tables:\n  a.lead: {model: lead}\n  b.lead: {track: 1}\n"
    with pytest.raises(ConfigurationFaults) as refusal:
        loaded(tmp_path, text)
    assert [(fault.file.name, fault.line) for fault in refusal.value.faults] == [
        ("crm.yaml", 4),
        ("v1.avsc", 2),
    ]
    assert refusal.value.summary.startswith("2 faults in ")
