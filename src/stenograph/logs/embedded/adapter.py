"""Opens the embedded log, and the folder registry beside it, for a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stenograph.logs.embedded.audit import EmbeddedLogAudit
from stenograph.logs.embedded.checkup import EmbeddedLogCheckup
from stenograph.logs.embedded.reader import EmbeddedLogReader
from stenograph.logs.embedded.requests import FolderRequests
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from stenograph.pipeline.site import Site


class EmbeddedLogAdapter:
    """The embedded log of one pipeline."""

    def __init__(self, settings: EmbeddedLogSettings, site: Site) -> None:
        self._settings = settings
        self._site = site
        self._path = site.at(settings.path, "log.db")

    @property
    def registry_folder(self) -> Path | None:
        """Where the schemas of this log's records are kept: beside it, so that they move together."""
        return self._path.parent / "registry"

    def writer(self) -> EmbeddedLogWriter:
        """The log as a capturer sees it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return EmbeddedLogWriter(self._path, self._settings)

    def reader(self, group: str, topics: Sequence[str]) -> EmbeddedLogReader:
        """The log as a sink sees it."""
        return EmbeddedLogReader(self._path, self._settings, group=group, topics=topics)

    def audit(self) -> EmbeddedLogAudit:
        """The log as an operator sees it."""
        return EmbeddedLogAudit(self._path)

    def requests(self) -> FolderRequests:
        """The requests kept beside the log."""
        return FolderRequests(self._path.parent / "requests")

    def checkup(self) -> EmbeddedLogCheckup:
        """The log's file, to be looked at."""
        return EmbeddedLogCheckup(self._path, self._settings, self._site.pipeline)
