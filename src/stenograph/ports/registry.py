"""What a schema registry promises.

Fetches nothing itself.
"""

from __future__ import annotations

from typing import Protocol

from stenograph.schemas import SchemaId


class SchemaRegistry(Protocol):
    """Schemas by number, versioned by subject."""

    def register(self, subject: str, schema: str) -> SchemaId:
        """The id of this schema under the subject, which is made if new; the same id for the same schema for ever.

        Raise SchemaIncompatible where the subject's compatibility forbids it, RegistryUnavailable.
        """
        ...

    def fetch(self, schema_id: SchemaId) -> str | None:
        """The schema's JSON text; None if there is no such id."""
        ...

    def latest(self, subject: str) -> tuple[SchemaId, str] | None:
        """The subject's newest version."""
        ...
