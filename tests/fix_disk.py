"""A disk of 64 MiB, and how it is filled to the last byte."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.components import require_component


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB; needs the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    require_component("tmpfs", "only root may mount one" if mounted.returncode else None)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room there is, with the file that is returned."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        while (free := shutil.disk_usage(folder).free) > 0:
            try:
                os.posix_fallocate(file.fileno(), file.tell(), free)
            except OSError as full:
                # Whoever else writes there may have been faster: the rest is looked at again.
                if full.errno != errno.ENOSPC:
                    raise
            file.seek(0, os.SEEK_END)
    return ballast
