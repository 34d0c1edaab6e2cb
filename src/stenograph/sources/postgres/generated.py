"""Writes the generated encoders out for people to read, where the environment asks for it.

Nothing reads these files back: what runs is in memory.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from stenograph.errors import ConfigurationError
from stenograph.sources.postgres.compiled import CompiledTable

FOLDER = "STENO_DUMP_GENERATED"
"""The environment variable that names the folder."""


def write_out(compiled: CompiledTable) -> None:
    """Write the table's functions into the folder, one file for each table and shape; nothing where none is named.

    Raise ConfigurationError if the folder cannot be written to.
    """
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    table = compiled.table
    name = f"{compiled.topic}.{table.encoder.value_id}.{table.identity}.py"
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        path = Path(folder) / re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        path.write_text("\n".join([*_heading(compiled), compiled.source, ""]), encoding="utf-8")
    except OSError as failure:
        raise ConfigurationError(
            "The generated encoders cannot be written out.",
            hint=f"Let {FOLDER} name a folder that this process may write to, or unset it.",
            folder=folder,
        ) from failure


def _heading(compiled: CompiledTable) -> Iterator[str]:
    # As JSON, because a name may hold a line's end.
    yield f"# {json.dumps(str(compiled.table.form.wire.table))}, by the places of its columns:"
    for place, of in enumerate(compiled.columns):
        yield f"# {place}: {json.dumps(of.column.name)}"
    yield ""
