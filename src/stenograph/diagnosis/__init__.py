"""What adapters say of the health of the systems behind them; `doctor` collects it."""

from stenograph.diagnosis.point import Diagnosis, Examined, State, fault, ok, warning
from stenograph.diagnosis.room import place_point, room_point, size, write_points

__all__ = [
    "Diagnosis",
    "Examined",
    "State",
    "fault",
    "ok",
    "place_point",
    "room_point",
    "size",
    "warning",
    "write_points",
]
