"""The folder registry on a real file system: damaged files, other processes, crashes between two writes."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stenograph.errors import ConfigurationError, RegistryUnavailable
from stenograph.registry.folder import FolderRegistry

_WHOLE_REPOSITORY = Path(__file__).parents[2]


def _schema(*names: str) -> str:
    return json.dumps(
        {"type": "record", "name": "Value", "fields": [{"name": name, "type": "long"} for name in names]}
    )


def test_the_folder_can_be_read_by_people(tmp_path: Path) -> None:
    schema_id = FolderRegistry(tmp_path / "r").register("crm.public.lead-value", _schema("id"))
    assert (tmp_path / "r/subjects/crm.public.lead-value/v1").read_text().strip() == str(schema_id)
    assert json.loads((tmp_path / f"r/ids/{schema_id}.avsc").read_text()) == json.loads(_schema("id"))


def test_reading_makes_no_folder(tmp_path: Path) -> None:
    registry = FolderRegistry(tmp_path / "r")
    assert (registry.fetch(1), registry.latest("lead-value")) == (None, None)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    "content", [b"", b'{"type": "rec', b'{"type": "no such type"}', b"\xff\xfe", b"12", b"null"]
)
def test_a_damaged_schema_is_named(tmp_path: Path, content: bytes) -> None:
    schema_id = FolderRegistry(tmp_path).register("lead-value", _schema("id"))
    path = tmp_path / f"ids/{schema_id}.avsc"
    path.write_bytes(content)
    registry = FolderRegistry(tmp_path)
    for ask in (lambda: registry.fetch(schema_id), lambda: registry.latest("lead-value")):
        with pytest.raises(ConfigurationError, match="damaged") as fault:
            ask()
        assert fault.value.facts["path"] == path


@pytest.mark.parametrize("content", ["", "one", "-1", "99"])
def test_a_damaged_version_is_named(tmp_path: Path, content: str) -> None:
    FolderRegistry(tmp_path).register("lead-value", _schema("id"))
    (tmp_path / "subjects/lead-value/v1").write_text(content)
    with pytest.raises(ConfigurationError, match="damaged"):
        FolderRegistry(tmp_path).latest("lead-value")


@pytest.mark.parametrize("text", ["", "{", "[]]", '{"type": "record"}', '{"type": "thing"}', "null", "[1]"])
def test_text_that_is_no_schema_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="not an Avro schema"):
        FolderRegistry(tmp_path).register("lead-value", text)


@pytest.mark.parametrize("subject", ["", ".", ".."])
def test_a_subject_cannot_leave_its_folder(tmp_path: Path, subject: str) -> None:
    with pytest.raises(ConfigurationError, match="subject"):
        FolderRegistry(tmp_path).register(subject, _schema("id"))


def test_a_subject_may_hold_any_character(tmp_path: Path) -> None:
    registry = FolderRegistry(tmp_path / "r")
    schema_id = registry.register("../größe/lead-value", _schema("id"))
    latest = registry.latest("../größe/lead-value")
    assert latest is not None
    assert latest[0] == schema_id
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_an_id_written_before_a_crash_is_used_again(tmp_path: Path) -> None:
    schema_id = FolderRegistry(tmp_path).register("lead-value", _schema("id"))
    (tmp_path / "subjects/lead-value/v1").unlink()
    (tmp_path / "ids/.2.avsc.new").write_text('{"type": "rec')
    registry = FolderRegistry(tmp_path)
    assert registry.register("lead-value", _schema("id")) == schema_id
    assert registry.register("lead-value", _schema("id", "other")) == schema_id + 1


def test_an_id_is_never_given_to_another_schema(tmp_path: Path) -> None:
    one = FolderRegistry(tmp_path)
    ids = [one.register("lead-value", _schema(*"abcd"[:count])) for count in (1, 2, 3)]
    (tmp_path / f"ids/{ids[1]}.avsc").unlink()
    assert FolderRegistry(tmp_path).register("contact-value", _schema("z")) == ids[2] + 1


def test_a_folder_emptied_under_a_writer_gives_no_id_to_another_schema(tmp_path: Path) -> None:
    registry = FolderRegistry(tmp_path)
    registry.register("lead-value", _schema("id"))
    (tmp_path / "ids" / "1.avsc").unlink()
    with pytest.raises(ConfigurationError, match="it was there and is gone"):
        registry.register("lead-value", _schema("id", "name"))
    assert list((tmp_path / "ids").iterdir()) == []


def test_a_held_lock_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stenograph.registry.shelf.LOCK_SECONDS", 0.05)
    registry = FolderRegistry(tmp_path)
    registry.register("lead-value", _schema("id"))
    with (tmp_path / ".lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RegistryUnavailable, match="holds"):
            registry.register("lead-value", _schema("id", "other"))
        assert registry.register("lead-value", _schema("id")) == 1


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="folder"):
        FolderRegistry(tmp_path / "file").register("lead-value", _schema("id"))


_REGISTER_IN_ANOTHER_PROCESS = """
import json, sys
from pathlib import Path
from stenograph.registry.folder import FolderRegistry

registry = FolderRegistry(Path(sys.argv[1]))
ids = {}
for number in range(20):
    fields = [{"name": f"field_{number}", "type": "long"}]
    schema = json.dumps({"type": "record", "name": "Value", "fields": fields})
    ids[number] = registry.register(f"{sys.argv[2]}-value", schema)
print(json.dumps(ids))
"""


def test_processes_that_register_at_once_agree(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _REGISTER_IN_ANOTHER_PROCESS, str(tmp_path), subject],
            stdout=subprocess.PIPE,
            text=True,
            cwd=_WHOLE_REPOSITORY,
        )
        for subject in ("lead", "contact", "lead")
    ]
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert answers[0] == answers[1] == answers[2]
    assert sorted(answers[0].values()) == list(range(1, 21))
    assert len(list((tmp_path / "subjects/lead-value").iterdir())) == 20
