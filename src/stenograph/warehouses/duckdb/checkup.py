"""Looks at a history file as the sink would meet it.

Holds the file only to read its bookkeeping, and writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stenograph.diagnosis import Diagnosis, fault, ok, place_point, room_point, size, warning, write_points
from stenograph.errors import WarehouseUnavailable
from stenograph.ports import open_gaps
from stenograph.warehouses.duckdb.connection import connect, reading
from stenograph.warehouses.duckdb.failures import failures
from stenograph.warehouses.duckdb.reader import DuckDBHistoryReader
from stenograph.warehouses.duckdb.statements import run, statement

_ASK = 'steno sql -p {pipeline} "SELECT * FROM {table}"'


@dataclass(frozen=True, slots=True)
class DuckDBCheckup:
    """The look at one file; a file that is not there yet is no fault."""

    path: Path
    pipeline: str

    def examine(self) -> Iterator[Diagnosis]:
        """See `Examined.examine`. Raise WarehouseRefused."""
        path = self.path.resolve()
        if not path.exists():
            yield place_point(path, "There is no history yet; the sink will make it.")
            yield room_point(path, 0)
            return
        taken = sum(_bytes(path.with_name(path.name + end)) for end in ("", ".wal"))
        try:
            yield self._openable(path, taken)
        except WarehouseUnavailable as refusal:
            pid = refusal.facts.get("pid")
            yield fault("openable", str(refusal), refusal.hint if pid is None else f"kill {pid}")
            yield room_point(path, taken)
            return
        yield from write_points(path)
        yield room_point(path, taken)
        yield from self._incidents(path)

    def _openable(self, path: Path, taken: int) -> Diagnosis:
        with failures(path), reading(path, connect) as connection:
            if connection is None:
                return ok("openable", "The history can be read; nothing has been stored yet.")
            version = run(connection, statement("bookkeeping", "version"))[0][0]
        return ok(
            "openable", f"The history can be read; its bookkeeping is version {version}, {size(taken)}."
        )

    def _incidents(self, path: Path) -> Iterator[Diagnosis]:
        aside, gaps = DuckDBHistoryReader(path).incidents()
        waiting = Counter(record.table for record in aside if record.state == "open")
        for table, count in sorted(waiting.items()):
            yield warning(
                "quarantine",
                f"1 record of {table} is set aside."
                if count == 1
                else f"{count:,} records of {table} are set aside.",
                self._ask("_steno_quarantine"),
            )
        left = open_gaps(gaps)
        for gap in left:
            again = "capture --anew" if gap.table is None else f"snapshot {gap.table}"
            yield warning(
                "gap",
                f"History of {gap.table or 'all tables'} of {gap.source} may lack changes from {gap.after} to"
                f" {gap.before}: {gap.cause}.",
                f"steno {again} -p {self.pipeline}",
            )
        repaired = sum(gap.repaired_by is not None for gap in gaps)
        if not waiting:
            yield ok("quarantine", "No record is set aside.")
        if not left:
            yield ok("gaps", f"{repaired:,} gaps, each followed by a new reading." if repaired else "No gap.")

    def _ask(self, table: str) -> str:
        return _ASK.format(pipeline=self.pipeline, table=table)


def _bytes(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
