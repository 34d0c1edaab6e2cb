"""`-p` finds one file, or says which there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from stenograph.errors import ConfigurationError
from stenograph.pipeline import find
from tests.pipeline_kinds import written


def test_the_only_pipeline_needs_no_name(tmp_path: Path) -> None:
    file = written(tmp_path, "")
    (tmp_path / "pipelines" / "README.md").touch()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert {find(None, folder) for folder in (tmp_path, deep, tmp_path / "pipelines")} == {file}


def test_a_name_is_found_upward_past_a_folder_without_pipelines(tmp_path: Path) -> None:
    file = written(tmp_path, "", "crm.yml")
    written(tmp_path, "", "other.yaml")
    (tmp_path / "a" / "pipelines").mkdir(parents=True)
    assert find("crm", tmp_path / "a") == file
    assert find("crm.yml", tmp_path / "a") == file


def test_a_file_is_taken_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").touch()
    (tmp_path / "noending").touch()
    assert find("x.yaml", tmp_path) == tmp_path / "x.yaml"
    assert find(str(tmp_path / "x.yaml"), Path("/")) == tmp_path / "x.yaml"
    assert find("noending", tmp_path) == tmp_path / "noending"


@pytest.mark.parametrize(
    ("argument", "summary"),
    [
        (None, "There are 2 pipelines, and the command names none."),
        ("crn", 'There is no pipeline "crn"; did you mean "crm"?'),
        ("", 'There is no pipeline ""'),
        ("crn.yaml", "The pipeline file cannot be found."),
        ("./\0", "The pipeline file cannot be found."),
        ("x" * 5000, "There is no pipeline"),
    ],
)
def test_what_cannot_be_found_lists_the_candidates(
    tmp_path: Path, argument: str | None, summary: str
) -> None:
    written(tmp_path, "")
    written(tmp_path, "", "hub.yml")
    with pytest.raises(ConfigurationError) as refusal:
        find(argument, tmp_path)
    assert refusal.value.summary.startswith(summary)
    assert refusal.value.hint == "Name one: -p crm, -p hub."
    assert refusal.value.facts["candidates"] == "pipelines/crm.yaml, pipelines/hub.yml"


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    written(tmp_path, "", "crm.yml")
    written(tmp_path, "", "crm.yaml")
    with pytest.raises(ConfigurationError, match=r'Two files are the pipeline "crm"'):
        find("crm", tmp_path)


def test_a_folder_without_pipelines_says_where_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no pipeline here") as refusal:
        find(None, tmp_path)
    assert "pipelines/NAME.yaml" in refusal.value.hint
    with pytest.raises(ConfigurationError) as refusal:
        find("crm", tmp_path)
    assert refusal.value.hint == "Write crm.yaml in a folder called pipelines."
