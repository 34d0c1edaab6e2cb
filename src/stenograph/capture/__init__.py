"""The loop from one source into the change log."""

from stenograph.capture.loop import Capture

__all__ = ["Capture"]
