"""What a pipeline file says about a Postgres source.

Imports no driver and resolves no secret.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stenograph.pipeline.settings import Section


class PostgresSettings(Section):
    """The `source` section of a pipeline that captures from Postgres."""

    kind: Literal["postgres"] = Field(description="The kind of source.")
    name: str = Field(
        pattern=r"^[a-z0-9_-]{1,50}$",
        description="The source's name, which is also the prefix of its topics.",
    )
    dsn: str = Field(
        description="Where the database is: env:NAME, file:/path, embedded:PATH, or a DSN without a password."
    )
    slot: str | None = Field(
        None, pattern=r"^[a-z0-9_]{1,63}$", description="The replication slot; else steno_<name>."
    )
    publication: str | None = Field(
        None, min_length=1, max_length=63, description="The publication; else steno_<name>."
    )

    @property
    def slot_name(self) -> str:
        """The replication slot, a name that Postgres accepts."""
        return self.slot or f"steno_{self.name.replace('-', '_')}"

    @property
    def publication_name(self) -> str:
        """The publication."""
        return self.publication or f"steno_{self.name.replace('-', '_')}"
