"""What a pipeline file says of a DuckDB history.

Imports no driver: `steno check` works without the extra.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class DuckDBSettings(BaseModel):
    """The section `warehouse` with `kind: duckdb`.

    `path` is the history's file; without it the pipeline's own folder holds one. `memory_limit` is what the sink may
    use of memory, in DuckDB's words, before it spills to disk; readers have DuckDB's own default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["duckdb"]
    path: Path | None = None
    memory_limit: str = Field(default="512MB", pattern=r"^[0-9]+(\.[0-9]+)? ?([KMGT]i?B)$")
