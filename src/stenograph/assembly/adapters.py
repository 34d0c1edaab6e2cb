"""What an adapter's class offers to be wired: the ports, opened for one pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from stenograph.diagnosis import Examined
from stenograph.events import TableId
from stenograph.history import FlushLimits
from stenograph.offsets import Position
from stenograph.ports import (
    ChangeLogAudit,
    ChangeLogReader,
    ChangeLogWriter,
    HistoryReader,
    QueryConsole,
    ReadRequests,
    RequestState,
    Rereads,
    SchemaRegistry,
    Source,
    SourceAudit,
    Warehouse,
    WarehousePlan,
)


class OpenedSource(Protocol):
    """A source whose server can be reached."""

    def resume(self, stored: Position | None, rereads: Rereads) -> Source:
        """The source at the stored position."""
        ...

    def begin_anew(self, stored: Position | None, rereads: Rereads) -> Source:
        """The source in a new run, after the one that the stored position speaks of."""
        ...

    def refuse_unreadable(self, table: TableId) -> None:
        """Raise SourceRefused, with what to do, if the table cannot be read again as it is now."""
        ...

    def request_state(self, stored: Position | None, table: TableId) -> RequestState:
        """What the position says of requests to read the table; connects to nothing."""
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

    def requests(self) -> ReadRequests:
        """The requests kept beside the log."""
        ...

    def checkup(self) -> Examined:
        """The log's files or servers, to be looked at."""
        ...


class WarehouseAdapter(Protocol):
    """A warehouse of one pipeline."""

    @property
    def flush_limits(self) -> FlushLimits:
        """How much of the log one append is made of."""
        ...

    def warehouse(self) -> Warehouse:
        """The history as the sink sees it."""
        ...

    def plan(self) -> WarehousePlan:
        """The history as `steno plan` sees it."""
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
