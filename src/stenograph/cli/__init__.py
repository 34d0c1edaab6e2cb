"""The command line: `steno`."""

from stenograph.cli.app import main

__all__ = ["main"]
