"""Puts a pipeline together: the kinds there are, and the loops and questions wired to their adapters."""

from stenograph.assembly.adapters import Start
from stenograph.assembly.loops import capture_loop, sink_loop
from stenograph.assembly.questions import PATIENCE, console, life_of, status, verify
from stenograph.assembly.wiring import Wiring, load_pipeline

__all__ = [
    "PATIENCE",
    "Start",
    "Wiring",
    "capture_loop",
    "console",
    "life_of",
    "load_pipeline",
    "sink_loop",
    "status",
    "verify",
]
