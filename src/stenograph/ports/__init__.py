"""The protocols between the engine and the outside world: sources, logs, registries, warehouses.

Each says what is promised, then what to be careful of. A contract suite of the same name in tests/contract runs
against every adapter. Nothing here imports a driver.
"""

from stenograph.ports.batches import EncodedBatch, Headers, LoggedBatch
from stenograph.ports.history import (
    Answer,
    HistoryReader,
    LedgerEntry,
    QueryConsole,
    SetAside,
    StoredGap,
    StoredSpan,
    open_gaps,
)
from stenograph.ports.log import ChangeLogAudit, ChangeLogReader, ChangeLogWriter, Extent
from stenograph.ports.registry import SchemaRegistry
from stenograph.ports.requests import ReadProgress, ReadRequest, ReadRequests, RequestState, Rereads
from stenograph.ports.source import Source, SourceAudit, Start
from stenograph.ports.warehouse import Planned, Warehouse, WarehousePlan

__all__ = [
    "Answer",
    "ChangeLogAudit",
    "ChangeLogReader",
    "ChangeLogWriter",
    "EncodedBatch",
    "Extent",
    "Headers",
    "HistoryReader",
    "LedgerEntry",
    "LoggedBatch",
    "Planned",
    "QueryConsole",
    "ReadProgress",
    "ReadRequest",
    "ReadRequests",
    "RequestState",
    "Rereads",
    "SchemaRegistry",
    "SetAside",
    "Source",
    "SourceAudit",
    "Start",
    "StoredGap",
    "StoredSpan",
    "Warehouse",
    "WarehousePlan",
    "open_gaps",
]
