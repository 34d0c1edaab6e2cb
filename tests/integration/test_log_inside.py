"""`steno log` on a real log: topics, records decoded, values only on demand, damage shown as such."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stenograph.assembly import Wiring, load_pipeline
from stenograph.cli.app import app
from stenograph.cli.exits import Exit
from stenograph.envelope.gap import KEY_SCHEMA, VALUE_SCHEMA, ReadGap, encode_gap
from stenograph.events import ChangeEvent, Missing, Op
from stenograph.inspection.render import plain
from stenograph.logs.embedded.partitioner import partition_of
from stenograph.offsets import Assignment, order_of
from stenograph.ports import EncodedBatch, Extent, Headers
from tests.change_samples import EPOCH, LANE, LEAD, change, encoder_of, lead
from tests.documents import ROOT, inline_code, rows, sections

SECRET = "the-user-s-own-words"
PIPELINE = """\
source: {kind: postgres, name: crm, dsn: env:CRM_URL}
tables:
  public.lead:
  public.contact:
log: {kind: embedded, partitions: %d}
"""


class Project:
    """A project folder with a log; one partition unless told otherwise, so that offsets count from 0."""

    def __init__(self, folder: Path, partitions: int = 1) -> None:
        (folder / "pipelines").mkdir()
        (folder / "pipelines" / "crm.yaml").write_text(PIPELINE % partitions, encoding="utf-8")
        self.wiring = Wiring.of(load_pipeline("crm", folder))

    def append(self, *events: ChangeEvent) -> None:
        encoder = encoder_of(LEAD, self.wiring.registry())
        self.put(
            [encoder.key(event) for event in events],
            [encoder.value(event) for event in events],
            headers=[encoder.headers(event) for event in events],
        )

    def put(
        self,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        *,
        topic: str = LEAD.topic,
        headers: Sequence[Headers] | None = None,
    ) -> None:
        with closing(self.wiring.log.writer()) as writer:
            writer.append(
                EncodedBatch(
                    source="crm",
                    lane=LANE,
                    topics=[topic] * len(values),
                    keys=keys,
                    values=values,
                    timestamps=[EPOCH // 1000 + number for number in range(len(values))],
                    orders=[order_of(1, 255, 16, number) for number in range(len(values))],
                    headers=headers or [()] * len(values),
                )
            )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def ask(*words: str) -> Mapping[str, Any]:
    answer = CliRunner().invoke(app, ["log", *words, "--json"], catch_exceptions=False)
    assert answer.exit_code == Exit.DONE, answer.output
    said: Mapping[str, Any] = json.loads(answer.stdout)
    return said


def shown(*words: str) -> str:
    answer = CliRunner().invoke(app, ["log", *words], catch_exceptions=False)
    assert answer.exit_code == Exit.DONE, answer.output
    return answer.stdout


@pytest.mark.usefixtures("project")
def test_a_log_that_is_not_there_yet_has_no_topic_and_is_not_made(tmp_path: Path) -> None:
    assert ask() == {"pipeline": "crm", "topics": [], "unread": None}
    assert ask("public.lead")["records"] == []
    assert "no topic" in shown()
    assert not (tmp_path / ".steno").exists()


def test_topics_show_what_is_held_and_how_far_history_is(project: Project) -> None:
    project.append(change(Op.CREATE, lead(1), 1), change(Op.CREATE, lead(2), 2))
    (topic,) = ask()["topics"]
    assert (topic["topic"], topic["table"], topic["history"]) == (
        "crm.public.lead",
        "public.lead",
        "public_lead_history",
    )
    assert topic["partitions"] == [{"partition": 0, "first": 0, "end": 2, "ledger": None}]
    with closing(project.wiring.log.audit()) as log:
        ((partition, extent),) = log.extents().items()
    assert isinstance(extent, Extent)
    with closing(project.wiring.warehouse.warehouse()) as warehouse:
        warehouse.claim("test", {partition: Assignment(extent.generation, 1)})
    assert ask()["topics"][0]["partitions"][0]["ledger"] == 0
    assert "crm.public.lead" in shown()


def test_a_record_is_shown_without_the_values_of_its_row(project: Project) -> None:
    project.append(change(Op.CREATE, lead(1, notes=SECRET), 1))
    (record,) = ask("lead")["records"]
    assert (record["offset"], record["op"], record["key"]) == (0, "create", {"id": 1})
    assert (record["lane"], record["order"]) == (LANE, order_of(1, 255, 16, 0).hex())
    assert record["at"].startswith("2026-01-01T00:00:00")
    assert (record["before"], record["after"], record["error"]) == (None, None, None)
    assert SECRET not in shown("lead")
    assert SECRET not in json.dumps(ask("lead"))


def test_values_are_shown_on_demand(project: Project) -> None:
    full = {**lead(1), "notes": SECRET}
    project.append(
        change(Op.CREATE, full, 1),
        change(Op.UPDATE, lead(1, "won", notes=Missing.UNCHANGED), 2, before=full, before_is_full=True),
        change(Op.DELETE, {"id": 1}, 3),
    )
    create, update, delete = ask("lead", "--values")["records"]
    assert create["after"] == full
    assert update["before"] == full
    assert update["after"] == {"id": 1, "status": "won", "score": None}
    assert update["unchanged"] == ["notes"]
    assert (delete["before"], delete["after"]) == ({"id": 1}, None)
    assert SECRET in shown("lead", "--values")


def test_a_table_a_history_table_and_a_topic_are_all_names_of_the_records(project: Project) -> None:
    project.append(change(Op.CREATE, lead(1), 1))
    for name in ("lead", "public.lead", "public_lead_history", "crm.public.lead"):
        assert ask(name)["topic"] == "crm.public.lead"
        assert len(ask(name)["records"]) == 1


def test_the_newest_are_shown_unless_an_offset_is_named(project: Project) -> None:
    project.append(*(change(Op.CREATE, lead(number), number) for number in range(250)))
    assert [r["offset"] for r in ask("lead")["records"]] == list(range(230, 250))
    assert [r["offset"] for r in ask("lead", "--limit", "3")["records"]] == [247, 248, 249]
    found = ask("lead", "--partition", "0", "--offset", "5", "--limit", "230")["records"]
    assert [r["offset"] for r in found] == list(range(5, 235))
    assert ask("lead", "--offset", "250")["records"] == []


def test_an_offset_needs_a_partition_where_there_are_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, partitions=4)
    project.append(*(change(Op.CREATE, lead(number), number) for number in range(40)))
    found = ask("lead", "--limit", "1")["records"]
    assert [record["partition"] for record in found] == [0, 1, 2, 3]
    encoder = encoder_of(LEAD, project.wiring.registry())
    key = encoder.key(change(Op.CREATE, lead(7), 7))
    home = str(partition_of(key, 4))
    in_home = ask("lead", "--partition", home, "--offset", "0")["records"]
    assert {"id": 7} in [record["key"] for record in in_home]
    for words in (["--offset", "3"], ["--partition", "4"]):
        refused = CliRunner().invoke(app, ["log", "lead", *words])
        assert "partition" in str(refused.exception)


def test_what_cannot_be_decoded_is_shown_with_the_reason_between_what_can(project: Project) -> None:
    encoder = encoder_of(LEAD, project.wiring.registry())
    event = change(Op.CREATE, lead(1, notes=SECRET), 1)
    key, value = encoder.key(event), encoder.value(event)
    unknown = value[:1] + (99).to_bytes(4, "big") + value[5:]
    project.put(
        [key, key, key, key, b"\0\0\0\0\1", key],
        [value, value[:-4], b"\1\2\3\4\5\6", unknown, value, value + b"x"],
    )
    found = ask("lead", "--values")["records"]
    assert [record["op"] for record in found] == ["create", None, None, None, None, None]
    reasons = [record["error"] for record in found]
    assert reasons[0] is None
    for reason, part in zip(
        reasons[1:],
        ["not a datum", "magic byte", "no schema of the id", "not a datum", "left over"],
        strict=True,
    ):
        assert part in reason
        assert SECRET not in reason
    assert found[1]["key"] == {"id": 1}
    assert found[4]["key"] is None
    assert "unreadable" in shown("lead")


def test_tombstones_and_gaps_are_told_apart_from_changes(project: Project) -> None:
    registry = project.wiring.registry()
    encoder = encoder_of(LEAD, registry)
    project.put([encoder.key(change(Op.DELETE, {"id": 1}, 1))], [None])
    gap = ReadGap("crm", "public.lead", "0/10", "0/20", "the replication slot is gone", EPOCH)
    ids = (
        registry.register("crm.message-key", KEY_SCHEMA),
        registry.register("crm.message-value", VALUE_SCHEMA),
    )
    key, value = encode_gap(gap, "crm", *ids, EPOCH * 1000)
    project.put([key], [value], topic="crm.message")
    (tombstone,) = ask("lead")["records"]
    assert (tombstone["op"], tombstone["bytes"], tombstone["error"]) == ("tombstone", 0, None)
    (message,) = ask("crm.message")["records"]
    assert message["op"] == "message"
    assert message["note"] == "gap of public.lead: 0/10 to 0/20, the replication slot is gone"
    assert "slot is gone" in shown("crm.message")


def test_a_value_cannot_command_the_terminal(project: Project) -> None:
    project.append(change(Op.CREATE, lead(1, notes="\x1b[2J\n[red]gone"), 1))
    text = shown("lead", "--values")
    assert "\x1b" not in text
    assert "[red]gone" in text
    assert plain("a\x1bb\r") == "a\ufffdb\ufffd"


def test_the_json_has_the_fields_that_are_documented(project: Project) -> None:
    project.append(change(Op.CREATE, lead(1), 1))
    found = rows(sections(ROOT / "docs" / "operators" / "commands.md", 2)["log"])
    start = next(index for index, row in enumerate(found) if row[0] == "JSON field")
    said = {inline_code(row[0])[0]: row[1] for row in found[start + 1 :]}
    topics, records = ask(), ask("lead")
    assert set(said) == {*topics, *records}
    for name in (*topics["topics"][0], *topics["topics"][0]["partitions"][0]):
        assert f"`{name}`" in said["topics"]
    assert all(f"`{name}`" in said["records"] for name in records["records"][0])
