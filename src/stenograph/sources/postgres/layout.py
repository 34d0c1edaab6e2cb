"""What the catalogue says of a table's columns and files: enough to see that its rows were rewritten without events.

Postgres sends no DDL. `ADD COLUMN ... DEFAULT`, `ALTER TYPE ... USING`, an attached or dropped partition change rows
that exist and give no change. Here two looks at the catalogue are compared; nothing is asked and nothing is decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

_TEXTS = frozenset({25, 1043})
"""text and varchar: the same bytes under both."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A table as it was when history last agreed with it.

    `types` holds the type's oid of each column by its number, from 1, and 0 for one that is dropped or not sent.
    `filled` are the columns whose old rows take a value from the catalogue. `versions` are the transactions that last
    touched the other columns in the catalogue. `files` maps each relation that holds rows (the table, or every member
    of a partitioned one) to its file. `labels` holds of each enum in use its oid, the number of labels and their
    digest.
    """

    types: tuple[int, ...]
    filled: tuple[int, ...]
    versions: tuple[int, ...]
    files: Mapping[int, int]
    row_filter: int
    labels: tuple[tuple[int, int, int], ...]

    def as_json(self) -> dict[str, object]:
        """As the position stores it."""
        return {
            "types": self.types,
            "filled": self.filled,
            "versions": self.versions,
            "files": list(self.files.items()),
            "filter": self.row_filter,
            "labels": self.labels,
        }

    @classmethod
    def of_json(cls, facts: Mapping[str, Any]) -> Layout:
        """What `as_json` gave; KeyError, TypeError or ValueError for anything else."""
        return cls(
            types=tuple(facts["types"]),
            filled=tuple(facts["filled"]),
            versions=tuple(facts["versions"]),
            files=dict(facts["files"]),
            row_filter=facts["filter"],
            labels=tuple((oid, count, digest) for oid, count, digest in facts["labels"]),
        )


@dataclass(frozen=True, slots=True)
class SeenColumn:
    """A column now. `type_oid` is 0 if it is dropped or not sent; `version` is the transaction that touched it last."""

    name: str
    type_oid: int
    is_filled: bool
    version: int


@dataclass(frozen=True, slots=True)
class SeenMember:
    """A relation that holds the table's rows, or a partitioned one between; `parent` is 0 for the table itself.

    `is_born` says that it was created as a partition, empty, and not attached. `is_emptied` says that its file is one
    that a TRUNCATE made. `filled` names its columns whose old rows take a value from the catalogue.
    """

    oid: int
    parent: int
    file: int
    is_born: bool
    is_emptied: bool
    filled: frozenset[str]


@dataclass(frozen=True, slots=True)
class SeenTable:
    """A table now. `members` is the table itself if it is not partitioned; `labels` are those of each enum by oid."""

    columns: Sequence[SeenColumn]
    members: Sequence[SeenMember]
    row_filter: str
    labels: Mapping[int, Sequence[str]]

    def layout(self) -> Layout:
        """What of it has to be remembered."""
        sent = [(number, c) for number, c in enumerate(self.columns, start=1) if c.type_oid]
        return Layout(
            types=tuple(column.type_oid for column in self.columns),
            filled=tuple(number for number, column in sent if column.is_filled),
            versions=tuple(sorted({column.version for _, column in sent if not column.is_filled})),
            files={member.oid: member.file for member in self.members},
            row_filter=crc32(self.row_filter.encode()),
            labels=tuple((oid, len(names), _digest(names)) for oid, names in sorted(self.labels.items())),
        )

    def rewritten_since(self, before: Layout) -> str | None:
        """What changed rows that existed then, in words, or None.

        Trap: where the catalogue cannot tell, the answer is that they did: reading a table again costs time,
        believing it unchanged costs the truth. What only moves rows (VACUUM FULL, CLUSTER) or only names them is no
        rewrite.
        """
        if crc32(self.row_filter.encode()) != before.row_filter:
            return "the publication's row filter was changed"
        moved = any(m.oid in before.files and m.file != before.files[m.oid] for m in self.members)
        for number, column in enumerate(self.columns, start=1):
            if column.type_oid:
                cause = self._column_cause(number, column, before, moved=moved)
                if cause is not None:
                    return cause
        for oid, count, digest in before.labels:
            if oid in self.labels and _digest(self.labels[oid][:count]) != digest:
                return "a label of an enum type was renamed"
        return self._member_cause(before)

    def attached_since(self, before: Layout) -> list[int]:
        """The oids of partitions that were attached, and of those below them: they may have come with rows."""
        new = {member.oid: member for member in self.members if member.oid not in before.files}
        return [member.oid for member in new.values() if member.file and not _is_born(member, new)]

    def _column_cause(self, number: int, column: SeenColumn, before: Layout, *, moved: bool) -> str | None:
        if number > len(before.types):
            if column.is_filled or any(column.name in member.filled for member in self.members):
                return f'column "{column.name}" was added with a default'
            return f'column "{column.name}" was added and the table rewritten' if moved else None
        then = before.types[number - 1]
        if not then:
            return f'column "{column.name}" was there and not sent before'
        if then != column.type_oid and (moved or not {then, column.type_oid} <= _TEXTS):
            return f'column "{column.name}" was given another type'
        # What rewrites a table as it is empties `filled`, and touches those columns only.
        is_touched = number not in before.filled and column.version not in before.versions
        return f'column "{column.name}" was altered and the table rewritten' if moved and is_touched else None

    def _member_cause(self, before: Layout) -> str | None:
        known = {member.oid: member for member in self.members}
        if any(oid not in known for oid in before.files):
            return "a partition was detached or dropped"
        anew = [m for m in self.members if m.oid in before.files and m.file != before.files[m.oid]]
        with_file = [oid for oid, file in before.files.items() if file]
        # TRUNCATE of the whole table is an event; of one partition it is none.
        if any(member.is_emptied for member in anew) and len(anew) < len(with_file):
            return "a partition was truncated by itself"
        return None


def _is_born(member: SeenMember, new: Mapping[int, SeenMember]) -> bool:
    above = new.get(member.parent)
    return member.is_born and (above is None or _is_born(above, new))


def _digest(names: Sequence[str]) -> int:
    return crc32("\0".join(names).encode())
