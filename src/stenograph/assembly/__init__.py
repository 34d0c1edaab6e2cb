"""Puts a pipeline together: the kinds there are, and the loops and questions wired to their adapters."""

from stenograph.assembly.checkups import doctor
from stenograph.assembly.insides import NEWEST, Where, log_records, log_topics, project_of, registry_subjects
from stenograph.assembly.loops import capture_loop, sink_loop
from stenograph.assembly.planning import apply_to, plan_of
from stenograph.assembly.questions import PATIENCE, console, life_of, status, verify
from stenograph.assembly.rereading import Rereading, RereadingState, rereading
from stenograph.assembly.wiring import Wiring, load_pipeline
from stenograph.ports import Start

__all__ = [
    "NEWEST",
    "PATIENCE",
    "Start",
    "Rereading",
    "RereadingState",
    "Where",
    "Wiring",
    "apply_to",
    "capture_loop",
    "console",
    "doctor",
    "life_of",
    "load_pipeline",
    "log_records",
    "log_topics",
    "plan_of",
    "project_of",
    "registry_subjects",
    "rereading",
    "sink_loop",
    "status",
    "verify",
]
