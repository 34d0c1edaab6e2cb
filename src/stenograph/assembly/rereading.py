"""A request that a table is read again: made, kept beside the log, and followed until the log has the rows.

Reads nothing itself: the capture that runs takes the request up, or the next one to start.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from stenograph.assembly.adapters import OpenedSource
from stenograph.assembly.wiring import Wiring
from stenograph.offsets import Position
from stenograph.pipeline import Pipeline
from stenograph.ports import ReadProgress, ReadRequest
from stenograph.schemas import TablePlan
from stenograph.supervisor import held_by, read_state


@dataclass(frozen=True, slots=True)
class RereadingState:
    """How far a request is. `capture` is the pid of the capture that runs here, `error` what it last complained of."""

    is_done: bool
    is_taken_up: bool
    capture: int | None
    progress: ReadProgress | None
    error: str | None


class Rereading:
    """A request to read one table again; nothing is kept until `make`."""

    def __init__(self, wiring: Wiring, source: OpenedSource, plan: TablePlan) -> None:
        self._wiring = wiring
        self._source = source
        self.plan = plan
        taken_up = source.request_state(self._position(), plan.table).taken_up
        # A clock that was set back must not make this request look like an older one.
        self.request = ReadRequest(plan.table, max(time.time_ns(), taken_up + 1))

    def make(self) -> None:
        """Keep the request durably; raise SourceRefused if the table cannot be read, and what the log raises."""
        self._source.refuse_unreadable(self.plan.table)
        self._wiring.log.requests().ask(self.request)

    def look(self) -> RereadingState:
        """How far it is now."""
        state = self._source.request_state(self._position(), self.plan.table)
        run = self._wiring.site.run
        pid, seen = held_by(run, "capture"), read_state(run, "capture")
        is_live = pid is not None and seen is not None and seen.pid == pid
        progress = seen.reading if is_live and seen is not None else None
        return RereadingState(
            is_done=state.is_done(self.request),
            is_taken_up=state.taken_up >= self.request.id,
            capture=pid,
            progress=progress if progress is not None and progress.table == self.plan.table else None,
            error=None if seen is None else seen.error,
        )

    def _position(self) -> Position | None:
        with closing(self._wiring.log.audit()) as log:
            return log.position(self._wiring.pipeline.source_name)


@contextmanager
def rereading(pipeline: Pipeline, name: str) -> Iterator[Rereading]:
    """A request for the table that a person names by model, history table or source table."""
    wiring = Wiring.of(pipeline)
    plan = wiring.plan_of(name)
    with wiring.source.opened([each.table for each in wiring.plans], wiring.registry()) as source:
        yield Rereading(wiring, source, plan)
