"""Where a pipeline's own files lie: the log, the history, the registry and the run files of the embedded kinds.

Makes no folder: whoever writes does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Site:
    """A pipeline's name and project folder. Relative paths in settings start at the project folder."""

    pipeline: str
    folder: Path

    @property
    def state(self) -> Path:
        """The pipeline's own folder, `.steno/<pipeline>`."""
        return self.folder / ".steno" / self.pipeline

    @property
    def run(self) -> Path:
        """Locks and states of the running loops."""
        return self.state / "run"

    def at(self, path: Path | None, default: str) -> Path:
        """A setting's path, or the file of that name in the pipeline's own folder."""
        return self.state / default if path is None else self.folder / path
