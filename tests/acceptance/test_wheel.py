"""The built wheel stands alone: it runs from an empty folder, with the files that it ships."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Installation:
    """An environment that holds the wheel, and an empty folder to run it from."""

    environment: Path
    empty_folder: Path

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's programs with an empty HOME and no variable of ours."""
        return subprocess.run(
            [str(self.environment / "bin" / program), *arguments],
            cwd=self.empty_folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.empty_folder), "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Build the wheel and install it offline; its dependencies are those of this environment."""
    room = tmp_path_factory.mktemp("wheel")
    environment = room / "environment"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _do(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(room), str(ROOT))
    (wheel,) = room.glob("*.whl")
    _do(sys.executable, "-m", "venv", "--without-pip", str(environment))
    python = str(environment / "bin" / "python")
    _do(*pip, "--python", python, "install", "--no-deps", "--no-index", "--no-compile", str(wheel))
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("platlib") + "\n")
    empty_folder = room / "empty"
    empty_folder.mkdir()
    return Installation(environment, empty_folder)


def _do(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_is_what_runs(installation: Installation) -> None:
    where = installation.run("python", "-c", "import stenograph; print(stenograph.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(installation.environment), where.stderr


def test_help_works_from_an_empty_folder(installation: Installation) -> None:
    help_page = installation.run("steno", "--help")
    assert help_page.returncode == 0, help_page.stderr
    assert "check" in help_page.stdout


def test_check_in_an_empty_folder_is_a_configuration_fault_and_no_traceback(
    installation: Installation,
) -> None:
    check = installation.run("steno", "check")
    assert check.returncode == 2, check.stdout + check.stderr
    assert "Traceback" not in check.stderr


@pytest.mark.parametrize("kind", ["schemas", "warehouse_ddl"])
def test_the_wheel_ships_every_file_of_the_folder(installation: Installation, kind: str) -> None:
    program = f"from stenograph.resources import bundled; print(bundled({kind!r}))"
    shipped = Path(installation.run("python", "-c", program).stdout.strip())
    assert shipped.is_relative_to(installation.environment)
    assert _files(shipped) == _files(ROOT / kind)
    assert _files(shipped)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
