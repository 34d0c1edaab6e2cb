"""The `log:` section of a pipeline whose change log is one file on this machine.

Imports no driver, so that a pipeline file can be checked without opening anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EmbeddedLogSettings(BaseModel):
    """Where the log lies and how long it keeps what every sink has reported.

    `path`: None means `.steno/<pipeline>/log.db`. `partitions` is for topics that do not exist yet: a live topic
    never changes its count. `retain_days` counts from a record's timestamp; a record that some sink has not
    reported is kept however old it is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["embedded"]
    path: Path | None = None
    partitions: int = Field(default=4, ge=1, le=64)
    retain_days: float = Field(default=7, ge=0, allow_inf_nan=False)
