"""The `log:` section of a pipeline whose change log is one file on this machine.

Imports no driver, so that a pipeline file can be checked without opening anything.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

_LEAST_BYTES: Final = 16_000_000
_SIZE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?(?:([KMGT])(i?))?B", re.ASCII)


class EmbeddedLogSettings(BaseModel):
    """Where the log lies and how long it keeps what every sink has reported.

    `path`: None means `.steno/<pipeline>/log.db`. `partitions` is for topics that do not exist yet: a live topic
    never changes its count. `retain_days` counts from a record's timestamp; a record that some sink has not
    reported is kept however old it is. `max_size` is how much the file may hold: above it what every sink has reported
    goes, however young it is, and where that is not enough capture waits. `MB` is 1000 * 1000, `MiB` 1024 * 1024 bytes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["embedded"]
    path: Path | None = None
    partitions: int = Field(default=4, ge=1, le=64)
    retain_days: float = Field(default=7, ge=0, allow_inf_nan=False)
    max_size: str = "20GB"

    @field_validator("max_size")
    @classmethod
    def _is_a_size(cls, text: str) -> str:
        if _bytes_of(text) < _LEAST_BYTES:
            raise ValueError("must be at least 16MB")
        return text

    @property
    def max_bytes(self) -> int:
        """`max_size` in bytes."""
        return _bytes_of(self.max_size)


def _bytes_of(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError('must be a number with a unit, as in "20GB" or "512 MiB"')
    number, prefix, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** " KMGT".index(prefix or " "))
