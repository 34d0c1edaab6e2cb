"""Whether a file of ours has a place to be in, and room to grow.

Makes no folder and writes no file to find out.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from stenograph.diagnosis.point import Diagnosis, fault, ok, warning

FULL_BYTES = 64 << 20
"""With less than this left, the next batch may not fit."""
SCARCE_BYTES = 1 << 30


def room_point(file: Path, takes: int) -> Diagnosis:
    """How much is free where the file lies, or will lie; `takes` is what it holds now, in bytes."""
    folder = _nearest(file.parent)
    free = shutil.disk_usage(folder).free
    sentence = f"{size(free)} are free; the file takes {size(takes)}."
    fix = f"df -h {shlex.quote(str(folder))} # free some space there, or set the path elsewhere"
    if free < FULL_BYTES:
        return fault("disk", f"The disk is full: {sentence}", fix)
    if free < max(SCARCE_BYTES, takes // 10):
        return warning("disk", f"The disk is nearly full: {sentence}", fix)
    return ok("disk", sentence)


def place_point(file: Path, sentence: str) -> Diagnosis:
    """A file that is not there yet, with what makes it: whether its folder can be made and written."""
    folder = _nearest(file.parent)
    if not folder.is_dir() or not _is_writable(folder):
        return fault(
            "place",
            f"{sentence} It cannot be made there: {folder} is no folder that this user may write to.",
            f"chmod u+w {shlex.quote(str(folder))}",
        )
    return ok("place", sentence)


def write_points(file: Path) -> Iterator[Diagnosis]:
    """A fault for the file, and for its folder, where this user may only read it."""
    for place in (file.parent, file):
        if not _is_writable(place):
            yield fault(
                "writable",
                f"This user may not write {place}.",
                f"chmod u+w {shlex.quote(str(place))}",
            )


def size(count: int) -> str:
    """Bytes for people, counted in thousands as the settings count them."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _is_writable(place: Path) -> bool:
    return os.access(place, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _nearest(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
