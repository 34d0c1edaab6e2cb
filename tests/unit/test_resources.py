"""In a checkout the shipped files are read where they are edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from stenograph import resources
from stenograph.errors import ConfigurationError
from stenograph.resources import BundledFolder, bundled

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", ["schemas", "warehouse_ddl"])
def test_a_checkout_reads_its_own_folder(kind: BundledFolder) -> None:
    assert bundled(kind) == ROOT / kind


def test_an_installation_without_its_files_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "lib" / "stenograph")
    with pytest.raises(ConfigurationError) as refusal:
        bundled("schemas")
    assert "Install the wheel again" in refusal.value.hint
