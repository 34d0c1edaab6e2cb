"""The kinds of source, log and warehouse that there are: adding one is adding its line.

Imports settings only: an adapter, and the driver it needs, is loaded when a pipeline names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from pydantic import BaseModel

from stenograph.errors import ConfigurationError
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.pipeline import Kinds
from stenograph.sources.postgres.settings import PostgresSettings
from stenograph.warehouses.duckdb.settings import DuckDBSettings


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: its settings, where its adapter is (`module:class`), and the extra that brings its driver."""

    settings: type[BaseModel]
    adapter: str
    extra: str | None = None

    def load(self) -> object:
        """The adapter's class; raise ConfigurationError that names the extra if its driver is not installed."""
        module, _, name = self.adapter.partition(":")
        try:
            return getattr(import_module(module), name)
        except ModuleNotFoundError as cause:
            if cause.name is None or cause.name.startswith("stenograph"):
                raise
            raise ConfigurationError(
                f"The pipeline needs the Python package {cause.name}, which is not installed.",
                hint=f'Install it with `pip install "stenograph[{self.extra or "dev"}]"`.',
                package=cause.name,
            ) from cause


SOURCES: Mapping[str, Kind] = {
    "postgres": Kind(PostgresSettings, "stenograph.sources.postgres.adapter:PostgresAdapter"),
}
LOGS: Mapping[str, Kind] = {
    "embedded": Kind(EmbeddedLogSettings, "stenograph.logs.embedded.adapter:EmbeddedLogAdapter"),
}
WAREHOUSES: Mapping[str, Kind] = {
    "duckdb": Kind(DuckDBSettings, "stenograph.warehouses.duckdb.adapter:DuckDBAdapter", extra="duckdb"),
}

KINDS = Kinds(
    sources={name: kind.settings for name, kind in SOURCES.items()},
    logs={name: kind.settings for name, kind in LOGS.items()},
    warehouses={name: kind.settings for name, kind in WAREHOUSES.items()},
)
"""The same, as the pipeline file is checked against."""
