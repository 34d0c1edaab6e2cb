"""Requests to read tables again, kept as small files in a folder beside the log.

Not in the log's own file: whoever asks is another process than the log's one writer, and must not wait for it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from zlib import crc32

from stenograph.errors import LogRefused
from stenograph.events import TableId
from stenograph.logs.embedded.faults import told_as_log_errors
from stenograph.ports import ReadRequest

_SUFFIX = ".json"


class FolderRequests:
    """The ReadRequests of one embedded log. A request is a file of its own, there as a whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ask(self, request: ReadRequest) -> None:
        """Write, sync, rename, sync the folder: after that it outlives a crash of the machine."""
        with told_as_log_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = self._path(request).with_suffix(f".{os.getpid()}")
            facts = {"schema": request.table.schema, "table": request.table.name, "id": request.id}
            with draft.open("w", encoding="utf-8") as file:
                json.dump(facts, file, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path(request))
            self._sync_folder()

    def pending(self) -> list[ReadRequest]:
        """The requests of all tables, the oldest first."""
        with told_as_log_errors(self._folder):
            requests = [self._read(path) for path in self._folder.glob(f"*{_SUFFIX}")]
        return sorted((r for r in requests if r is not None), key=lambda request: request.id)

    def forget(self, request: ReadRequest) -> None:
        """Remove the file."""
        with told_as_log_errors(self._folder):
            self._path(request).unlink(missing_ok=True)

    def _path(self, request: ReadRequest) -> Path:
        # Two requests of one instant are for two tables.
        return self._folder / f"{request.id}-{crc32(str(request.table).encode()):08x}{_SUFFIX}"

    def _read(self, path: Path) -> ReadRequest | None:
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            return ReadRequest(TableId(str(facts["schema"]), str(facts["table"])), int(facts["id"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise LogRefused(
                "A file beside the log is not the request that it should be.",
                hint="Remove it, and ask again with `steno snapshot`.",
                path=path,
            ) from None

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
