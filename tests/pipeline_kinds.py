"""Small kinds of source, log and warehouse, for tests of the pipeline model alone.

Stands for no adapter: the real settings are tested beside them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from stenograph.pipeline import Kinds, Pipeline, Secret, SecretOrPlain, Section, load


class BoatSource(Section):
    """A source with one required setting."""

    name: str
    dsn: SecretOrPlain
    token: Secret | None = None
    note: str | None = None
    port: int = Field(5432, ge=1)

    @field_validator("port")
    @classmethod
    def _not_unlucky(cls, port: int) -> int:
        if port == 13:
            raise ValueError("is unlucky")
        return port


class FileLog(Section):
    """A log that declares its kind."""

    kind: Literal["embedded"] = "embedded"
    path: Path = Path(".steno/log.db")


class FileWarehouse(Section):
    """A warehouse that leaves its kind out."""

    path: Path = Path(".steno/history.db")
    read_only: bool = False


KINDS = Kinds({"boat": BoatSource}, {"embedded": FileLog}, {"duckdb": FileWarehouse})

VALID = """\
source:
  kind: boat
  name: crm
  dsn: env:CRM_URL
tables:
  public.lead: {model: lead, map: {state: status}, track: [status]}
  public.deal:
log:
  kind: embedded
"""


def written(folder: Path, text: str, name: str = "crm.yaml") -> Path:
    """The text as a file in the folder's `pipelines/`."""
    file = folder / "pipelines" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def loaded(folder: Path, text: str) -> Pipeline:
    """The text as a pipeline of those kinds."""
    return load(written(folder, text), KINDS)
