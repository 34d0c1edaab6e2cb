"""What a pipeline file says of a DuckDB history.

Imports no driver: `steno check` works without the extra.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

_MEMORY: Final = re.compile(r"[0-9]+(\.[0-9]+)? ?[KMGT]i?B", re.ASCII)


class DuckDBSettings(BaseModel):
    """The section `warehouse` with `kind: duckdb`.

    `path` is the history's file; without it the pipeline's own folder holds one. `memory_limit` is what the sink may
    use of memory, in DuckDB's words, before it spills to disk; readers have DuckDB's own default.
    `flush_rows`, `flush_bytes` and `flush_seconds` are the sink's `FlushLimits`. Trap: 122,880 rows are one row group
    of DuckDB, which goes straight into the file; other counts are written twice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["duckdb"]
    path: Path | None = None
    memory_limit: str = "256MB"
    flush_rows: int = Field(default=122_880, ge=1)
    flush_bytes: int = Field(default=40 << 20, ge=1)
    flush_seconds: float = Field(default=0.1, ge=0, le=3600, allow_inf_nan=False)

    @field_validator("memory_limit")
    @classmethod
    def _is_an_amount(cls, text: str) -> str:
        if _MEMORY.fullmatch(text) is None:
            raise ValueError('must be a number with a unit, as in "256MB" or "1.5 GiB"')
        return text
