"""The CRM's own record of what Postgres acknowledged: the truth that history is held against.

Reads no log and no history, so that what those have lost is still counted here.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Change(StrEnum):
    """What was done to a row, in the words of history; a key change is two rows there."""

    SNAPSHOT = "snapshot"
    """It was there before capture began."""
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    KEY_CHANGE = "key change"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of change of one table."""

    table: str
    change: Change


@dataclass(slots=True)
class Tally:
    """What a journal says so far: transactions by outcome, changes by kind, and sentences for people.

    `changes` also has the rows that were there before; they belong to no transaction that is counted.
    """

    committed: int = 0
    rolled_back: int = 0
    changes: Counter[Kind] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many history rows the changes come to."""
        return rows_of(self.changes)


def rows_of(changes: Mapping[Kind, int]) -> int:
    """How many history rows the changes come to: a key change ends one key and begins another."""
    return sum(n * (2 if kind.change is Change.KEY_CHANGE else 1) for kind, n in changes.items())


class _Line(StrEnum):
    FOUND = "found"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"
    SAID = "said"


class JournalWriter:
    """Adds a line for each settled transaction, in one write: a reader never sees half of one for long."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def found(self, rows: Mapping[str, int]) -> None:
        """Note the rows that are there before the first transaction, by table."""
        self._write(_Line.FOUND, [[table, Change.SNAPSHOT, count] for table, count in rows.items()])

    def committed(self, changes: Mapping[Kind, int]) -> None:
        """Note a transaction that Postgres has acknowledged, or is known to have committed."""
        self._write(_Line.COMMITTED, [[kind.table, kind.change, n] for kind, n in changes.items() if n])

    def rolled_back(self) -> None:
        """Note a transaction that left nothing behind."""
        self._write(_Line.ROLLED_BACK, [])

    def say(self, sentence: str) -> None:
        """Note something that a person who watches should hear."""
        self._write(_Line.SAID, sentence)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _write(self, line: _Line, content: object) -> None:
        os.write(self._file, json.dumps([line, content], separators=(",", ":")).encode() + b"\n")


class JournalReader:
    """Follows a journal that is being written; a file that is not there yet is an empty one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0
        self._tally = Tally()

    def read(self) -> Tally:
        """Everything so far. The same object each time, grown."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._place)
                text = file.read()
        except FileNotFoundError:
            return self._tally
        # A line that is still being written is left for the next time.
        whole = text[: text.rfind(b"\n") + 1]
        self._place += len(whole)
        for line in whole.splitlines():
            self._add(*json.loads(line))
        return self._tally

    def _add(self, line: str, content: list[tuple[str, str, int]] | str) -> None:
        match _Line(line), content:
            case _Line.SAID, str():
                self._tally.said.append(content)
            case _Line.ROLLED_BACK, _:
                self._tally.rolled_back += 1
            case (_Line.FOUND | _Line.COMMITTED) as kind, list():
                self._tally.committed += kind is _Line.COMMITTED
                for table, change, count in content:
                    self._tally.changes[Kind(table, Change(change))] += int(count)
