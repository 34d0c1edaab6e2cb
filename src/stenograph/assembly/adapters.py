"""What an adapter's class offers to be wired: the ports, opened for one pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from pathlib import Path
from typing import Protocol

from stenograph.diagnosis import Examined
from stenograph.events import TableId
from stenograph.offsets import Position
from stenograph.ports import (
    ChangeLogAudit,
    ChangeLogReader,
    ChangeLogWriter,
    HistoryReader,
    QueryConsole,
    SchemaRegistry,
    Source,
    SourceAudit,
    Warehouse,
)


class Start(Enum):
    """How a capture begins."""

    RESUME = "resume"
    """At the stored position; a first time, with a snapshot."""
    ANEW = "anew"
    """With a new run: every table is read again, and what happened in between is lost to history."""


class OpenedSource(Protocol):
    """A source whose server can be reached."""

    def resume(self, stored: Position | None) -> Source:
        """The source at the stored position."""
        ...

    def begin_anew(self, stored: Position | None) -> Source:
        """The source in a new run, after the one that the stored position speaks of."""
        ...

    def audit(self, stored: Position | None) -> SourceAudit:
        """The source's tables, read at one position."""
        ...


class SourceAdapter(Protocol):
    """A source of one pipeline."""

    def opened(
        self, tables: Sequence[TableId], registry: SchemaRegistry
    ) -> AbstractContextManager[OpenedSource]:
        """Resolve secrets, start what is embedded, and leave it at the end."""
        ...

    def checkup(self, tables: Sequence[TableId], stored: Callable[[], Position | None]) -> Examined:
        """The system behind it, to be looked at; `stored` asks the log and raises as the log does."""
        ...


class LogAdapter(Protocol):
    """A log of one pipeline."""

    @property
    def registry_folder(self) -> Path | None:
        """Where the folder registry is; None where the log's settings name a registry of its own."""
        ...

    def writer(self) -> ChangeLogWriter:
        """The log as a capturer sees it."""
        ...

    def reader(self, group: str, topics: Sequence[str]) -> ChangeLogReader:
        """The log as a sink sees it."""
        ...

    def audit(self) -> ChangeLogAudit:
        """The log as an operator sees it."""
        ...

    def checkup(self) -> Examined:
        """The log's files or servers, to be looked at."""
        ...


class WarehouseAdapter(Protocol):
    """A warehouse of one pipeline."""

    def warehouse(self) -> Warehouse:
        """The history as the sink sees it."""
        ...

    def history(self) -> HistoryReader:
        """The history as verify and status see it."""
        ...

    def console(self) -> QueryConsole:
        """The history as an analyst sees it."""
        ...

    def checkup(self) -> Examined:
        """The warehouse, to be looked at."""
        ...
