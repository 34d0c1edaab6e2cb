"""`steno demo`: the whole story on one machine."""

from stenograph.demo.stage import run

__all__ = ["run"]
