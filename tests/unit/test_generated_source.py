"""The generated encoders can be read: one file for each table and shape, where the environment names a folder."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from stenograph.errors import ConfigurationError
from stenograph.sources.postgres.generated import FOLDER
from stenograph.sources.postgres.open_table import TableEncoders
from stenograph.sources.postgres.table import CapturedTable, CapturedTables
from tests.capturing import ListRegistry
from tests.every_type import captured


def made(table: CapturedTable) -> TableEncoders:
    return TableEncoders(table, "crm", "sales")


def test_each_table_and_shape_is_a_file_that_python_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new" / "generated"
    monkeypatch.setenv(FOLDER, str(folder))
    with_key, without = captured("d", True, ("int8",), False), captured("d", True, (), False)
    registry = ListRegistry()
    shapes = [CapturedTables(registry).captured(table.form, table.oid, "d") for table in (with_key, without)]
    for table in (*shapes, shapes[0], CapturedTables(registry).captured(with_key.form, with_key.oid, "f")):
        made(table)
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == [
        "crm.public.every_type.2.d.py",
        "crm.public.every_type.2.f.py",
        "crm.public.every_type.3.d.py",
    ]
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert '# 0: "text"' in text
        names = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
        assert names == ["change", "line"]


def test_nothing_is_written_where_nobody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    made(captured("d", True, ("int8",), False))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(FOLDER, str(tmp_path / "file" / "folder"))
    with pytest.raises(ConfigurationError, match="cannot be written out"):
        made(captured("d", True, ("int8",), False))
