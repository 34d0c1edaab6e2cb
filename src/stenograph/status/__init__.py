"""How a pipeline fares: per table what waits, per loop who runs it, and what needs a person."""

from stenograph.status.look import LoopStatus, Status, TableStatus, look
from stenograph.status.render import render

__all__ = ["LoopStatus", "Status", "TableStatus", "look", "render"]
