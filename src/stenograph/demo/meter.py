"""How far the changes have come: made by the CRM, in the log, in history.

Counts rows, never looks into them; moves nothing.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from stenograph.assembly import Wiring
from stenograph.demo.journal import JournalReader
from stenograph.errors import StenographError, WarehouseUnavailable
from stenograph.ports import HistoryReader

_PAUSE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Figures:
    """Rows so far, those from before the CRM's day included; transactions of the day."""

    made: int
    captured: int
    stored: int
    committed: int
    rolled_back: int
    said: tuple[str, ...]
    """What the CRM has said to people."""

    def mark(self, name: str) -> int:
        """How far the capture or the sink has come."""
        return self.captured if name == "capture" else self.stored


class Meter:
    """Reads the journal and the log when asked, and the ledger from a thread: the sink may keep it waiting."""

    def __init__(self, wiring: Wiring, journal: Path) -> None:
        self._journal = JournalReader(journal)
        self._topics = frozenset(plan.topic for plan in wiring.plans)
        self._log = wiring.log.audit()
        self._ledger = _Ledger(wiring.warehouse.history(), self._topics)

    def __enter__(self) -> Self:
        self._ledger.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ledger.end()
        self._log.close()

    def read(self) -> Figures:
        """The figures now. The ledger's may be a second old: `stored` never says too much."""
        stored = self._ledger.stored()
        ends = self._log.extents()
        tally = self._journal.read()
        return Figures(
            made=tally.rows,
            captured=sum(extent.end for partition, extent in ends.items() if partition.topic in self._topics),
            stored=stored,
            committed=tally.committed,
            rolled_back=tally.rolled_back,
            said=tuple(tally.said),
        )


class _Ledger:
    """The sum of the ledger's offsets, read over and over by a thread."""

    def __init__(self, history: HistoryReader, topics: frozenset[str]) -> None:
        self._history = history
        self._topics = topics
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="ledger", daemon=True)
        self._stored = 0
        self._error: StenographError | None = None

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join()

    def stored(self) -> int:
        if self._error is not None:
            raise self._error
        return self._stored

    def _follow(self) -> None:
        while not self._stop.wait(_PAUSE_SECONDS):
            try:
                ledger = self._history.ledger()
            except WarehouseUnavailable:
                # The sink is busy; the last figure stands until the next look.
                continue
            except StenographError as error:
                self._error = error
                return
            self._stored = sum(
                entry.next_offset for partition, entry in ledger.items() if partition.topic in self._topics
            )
