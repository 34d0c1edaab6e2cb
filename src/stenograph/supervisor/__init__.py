"""Owns time: repeats a loop's step, waits, retries, and ends it on a signal."""

from stenograph.supervisor.backoff import Backoff
from stenograph.supervisor.children import Children
from stenograph.supervisor.loop import Loop, Observer, supervise
from stenograph.supervisor.runfile import RunFile, RunState, held_by, read_state
from stenograph.supervisor.stop import Stop

__all__ = [
    "Backoff",
    "Children",
    "Loop",
    "Observer",
    "RunFile",
    "RunState",
    "Stop",
    "held_by",
    "read_state",
    "supervise",
]
