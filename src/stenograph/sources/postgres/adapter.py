"""Opens a Postgres source for a pipeline: resolves the DSN, and starts the server that `embedded:` means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from stenograph.diagnosis import Diagnosis, ok
from stenograph.events import TableId
from stenograph.offsets import Position
from stenograph.pipeline import SecretOrPlain
from stenograph.pipeline.site import Site
from stenograph.ports import RequestState, Rereads, SchemaRegistry, Start
from stenograph.sources.postgres.audit import PostgresAudit, open_audit
from stenograph.sources.postgres.checkup import examined
from stenograph.sources.postgres.checkup.examination import StoredPosition
from stenograph.sources.postgres.requests import refuse_unreadable, request_state
from stenograph.sources.postgres.server import embedded, is_running
from stenograph.sources.postgres.settings import PostgresSettings
from stenograph.sources.postgres.source import PostgresSource, open_source

_EMBEDDED = "embedded:"


class PostgresAdapter:
    """The Postgres source of one pipeline."""

    def __init__(self, settings: PostgresSettings, site: Site) -> None:
        self._settings = settings
        self._site = site

    @contextmanager
    def opened(self, tables: Sequence[TableId], registry: SchemaRegistry) -> Iterator[OpenedPostgres]:
        """The source with its DSN resolved; an embedded server runs as long as somebody is in here."""
        dsn = self._settings.dsn
        if dsn.startswith(_EMBEDDED):
            with embedded(self._site.folder / dsn.removeprefix(_EMBEDDED)) as address:
                yield OpenedPostgres(address, self._settings, tables, registry)
        else:
            yield OpenedPostgres(SecretOrPlain(dsn).resolve(), self._settings, tables, registry)

    def checkup(self, tables: Sequence[TableId], stored: StoredPosition) -> PostgresCheckup:
        """The server as it can be looked at; starts nothing."""
        return PostgresCheckup(self._settings, self._site, tables, stored)


@dataclass(frozen=True, slots=True)
class PostgresCheckup:
    """A look at the server of one pipeline; an embedded one that is not running is left so."""

    settings: PostgresSettings
    site: Site
    tables: Sequence[TableId]
    stored: StoredPosition

    def examine(self) -> Iterator[Diagnosis]:
        """See `Examined.examine`."""
        dsn = self.settings.dsn
        if not dsn.startswith(_EMBEDDED):
            yield from self._examined(SecretOrPlain(dsn).resolve())
            return
        folder = self.site.folder / dsn.removeprefix(_EMBEDDED)
        if not is_running(folder):
            yield ok("reachable", "The embedded server is not running; `steno run` starts it.")
            return
        with embedded(folder) as address:
            yield from self._examined(address)

    def _examined(self, dsn: str) -> Iterator[Diagnosis]:
        return examined(dsn, self.settings, self.tables, self.stored, self.site.pipeline)


class OpenedPostgres:
    """A Postgres source whose address is known; connects only when asked for a port."""

    def __init__(
        self, dsn: str, settings: PostgresSettings, tables: Sequence[TableId], registry: SchemaRegistry
    ) -> None:
        self._dsn = dsn
        self._settings = settings
        self._tables = tables
        self._registry = registry

    def resume(self, stored: Position | None, rereads: Rereads) -> PostgresSource:
        """The source at the stored position; the first time, a run from a snapshot on."""
        return open_source(self._dsn, self._settings, self._tables, self._registry, stored, rereads)

    def begin_anew(self, stored: Position | None, rereads: Rereads) -> PostgresSource:
        """The source in a new run."""
        return open_source(
            self._dsn, self._settings, self._tables, self._registry, stored, rereads, start=Start.ANEW
        )

    def refuse_unreadable(self, table: TableId) -> None:
        """Raise SourceRefused if the table is missing, not ours to read, or not in the publication."""
        refuse_unreadable(self._dsn, self._settings.publication_name, table)

    def request_state(self, stored: Position | None, table: TableId) -> RequestState:
        """What the marks of the position say."""
        return request_state(stored, table)

    def audit(self, stored: Position | None) -> PostgresAudit:
        """The source's tables, read at one position."""
        return open_audit(self._dsn, self._settings, self._tables, stored)
