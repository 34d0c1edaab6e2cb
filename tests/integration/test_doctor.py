"""`steno doctor` from the command line, and what it says of the files of log and history."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from stenograph.cli.app import app
from stenograph.cli.exits import Exit
from stenograph.diagnosis import Diagnosis, State
from stenograph.errors import LogRefused, WarehouseRefused
from stenograph.logs.embedded.checkup import EmbeddedLogCheckup
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from stenograph.ports import ChangeLogReader, LoggedBatch
from stenograph.warehouses.duckdb.checkup import DuckDBCheckup
from tests.change_samples import LEAD, encoder_of, plan_of
from tests.documents import ROOT, inline_code, rows, sections
from tests.fix_postgres import Database
from tests.log_samples import batch, seek_all
from tests.small_pipeline import NO_WAIT, SmallPipeline

DAY_MS = 86_400_000
HOLDER = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def log_of(path: Path, **settings: object) -> EmbeddedLogCheckup:
    return EmbeddedLogCheckup(
        path, EmbeddedLogSettings.model_validate({"kind": "embedded", **settings}), "crm"
    )


def write(path: Path, *, timestamp: int | None = None) -> None:
    with closing(EmbeddedLogWriter(path, EmbeddedLogSettings(kind="embedded"))) as writer:
        writer.append(batch("crm.public.lead", 0, 10, timestamp=timestamp))


def states(points: Sequence[Diagnosis]) -> dict[str, State]:
    return {point.name: point.state for point in points if point.name != "disk"}


def test_a_log_and_a_history_that_are_not_there_yet_are_no_fault_and_stay_so(tmp_path: Path) -> None:
    for checkup in (log_of(tmp_path / "a" / "log.db"), DuckDBCheckup(tmp_path / "a" / "h.duckdb", "crm")):
        assert states(list(checkup.examine())) == {"place": State.OK}
    assert list(tmp_path.iterdir()) == []


def test_a_log_whose_folder_cannot_be_made_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert states(list(log_of(tmp_path / "file" / "log.db").examine())) == {"place": State.FAULT}


def test_records_that_nobody_has_reported_are_a_warning_once_they_are_old_or_nobody_ever_does(
    tmp_path: Path,
) -> None:
    write(tmp_path / "log.db")
    never = list(log_of(tmp_path / "log.db").examine())
    assert states(never) == {"openable": State.OK, "records": State.OK, "unreported": State.WARNING}
    assert "10 records" in never[-1].sentence
    assert never[-1].fix == "steno sink -p crm"


def test_reported_records_are_not_counted(tmp_path: Path) -> None:
    pipeline = SmallPipeline(tmp_path, [plan_of(LEAD)])
    log = log_of(tmp_path / "log.db", retain_days=1)
    topic = LEAD.topic
    with closing(pipeline.writer()) as writer, closing(pipeline.reader()) as reader:
        writer.append(batch(topic, 0, 8, timestamp=int(time.time() * 1000) - 3 * DAY_MS))
        reader.report(dict.fromkeys(reader.assigned(), 0))
        assert states(list(log.examine()))["unreported"] is State.WARNING
        writer.append(batch(topic, 8, 8))
        held = {each.partition: each.stop for each in everything(reader)}
        reader.report(held)
        assert "unreported" not in states(list(log.examine()))
        writer.append(batch(topic, 16, 8))
        assert states(list(log.examine()))["unreported"] is State.OK


def everything(reader: ChangeLogReader) -> Sequence[LoggedBatch]:
    seek_all(reader)
    found: list[LoggedBatch] = []
    while part := reader.poll(1000, NO_WAIT):
        found += part
    return found


def test_another_partition_count_than_the_settings_is_a_fault_with_the_setting(tmp_path: Path) -> None:
    write(tmp_path / "log.db")
    points = list(log_of(tmp_path / "log.db", partitions=8).examine())
    (wrong,) = [point for point in points if point.state is State.FAULT]
    assert "partitions: 4" in (wrong.fix or "")


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"")
    with pytest.raises(LogRefused):
        list(log_of(tmp_path / "log.db").examine())


def test_quarantine_and_gaps_are_warnings(tmp_path: Path) -> None:
    pipeline = SmallPipeline(tmp_path, [plan_of(LEAD)])
    encoder_of(LEAD, pipeline.registry())
    pipeline.append(batch(LEAD.topic, 0, 1))
    pipeline.store_all()
    points = {point.name: point for point in DuckDBCheckup(pipeline.history, "crm").examine()}
    assert points["quarantine"].state is State.WARNING
    assert (points["quarantine"].fix or "").startswith("steno sql -p crm ")
    assert points["gaps"].state is State.OK
    assert "version 1" in points["openable"].sentence


def test_a_history_that_another_process_holds_is_a_fault_with_its_pid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stenograph.warehouses.duckdb.connection.READER_PATIENCE_SECONDS", 0.1)
    file = tmp_path / "history.duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        points = list(DuckDBCheckup(file, "crm").examine())
        (held,) = [point for point in points if point.name == "openable"]
        assert (held.state, held.fix) == (State.FAULT, f"kill {holder.pid}")
        assert f"(pid {holder.pid})" in held.sentence


def test_another_product_s_duckdb_file_is_refused(tmp_path: Path) -> None:
    with closing(duckdb.connect(str(tmp_path / "h.duckdb"))) as other:
        other.execute("CREATE TABLE mine (a INTEGER)")
    with pytest.raises(WarehouseRefused):
        list(DuckDBCheckup(tmp_path / "h.duckdb", "crm").examine())


def project(folder: Path, tables: str = "public.lead") -> None:
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "crm.yaml").write_text(
        f"source: {{kind: postgres, name: crm, dsn: env:CRM_URL}}\ntables:\n  {tables}:\n", encoding="utf-8"
    )


def doctor(folder: Path, monkeypatch: pytest.MonkeyPatch, dsn: str) -> tuple[int, Mapping[str, Any]]:
    monkeypatch.setenv("CRM_URL", dsn)
    monkeypatch.chdir(folder)
    answer = CliRunner().invoke(app, ["doctor", "--json"])
    return answer.exit_code, json.loads(answer.stdout)


def test_the_command_says_all_and_ends_with_0_where_nothing_is_at_fault(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)")
    project(tmp_path)
    code, said = doctor(tmp_path, monkeypatch, database.dsn)
    assert (code, said["ok"], said["faults"]) == (Exit.DONE, True, 0)
    assert [finding["system"] for finding in said["findings"] if finding["state"] != "ok"] == ["postgres"]
    assert {finding["system"] for finding in said["findings"]} == {"postgres", "log", "registry", "duckdb"}
    assert [each.name for each in tmp_path.iterdir()] == ["pipelines"]


def test_the_command_ends_with_1_for_a_fault_and_shows_it_to_people_too(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path)
    code, said = doctor(tmp_path, monkeypatch, database.dsn)
    assert (code, said["ok"]) == (Exit.STOPPED, False)
    shown = CliRunner().invoke(app, ["doctor", "-p", "crm"])
    assert shown.exit_code == Exit.STOPPED
    assert "To mend, in this order:" in shown.stdout


def test_a_server_that_does_not_answer_is_a_finding_and_no_secret_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path)
    code, said = doctor(tmp_path, monkeypatch, "postgresql://u:s3cret@127.0.0.1:1/db")
    assert code == Exit.STOPPED
    assert [f["name"] for f in said["findings"] if f["state"] == "fault"] == ["reachable"]
    assert "s3cret" not in json.dumps(said)


def test_the_json_has_the_fields_that_are_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path)
    _, said = doctor(tmp_path, monkeypatch, "postgresql://u:s3cret@127.0.0.1:1/db")
    section = sections(ROOT / "docs" / "operators" / "commands.md", 2)["doctor"]
    found = rows(section)
    start = next(index for index, row in enumerate(found) if row[0] == "JSON field")
    documented = {inline_code(row[0])[0]: row[1] for row in found[start + 1 :]}
    assert list(documented) == list(said)
    assert all(f"`{name}`" in documented["findings"] for name in said["findings"][0])
