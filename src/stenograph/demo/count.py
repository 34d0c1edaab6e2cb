"""Holds history's own counts against the CRM's journal: every kind of change of every table.

Repairs and explains nothing: a difference is a difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from stenograph.demo.journal import Change, Kind
from stenograph.ports import QueryConsole

_OP = {
    "snapshot": Change.SNAPSHOT,
    "create": Change.CREATE,
    "update": Change.UPDATE,
    "delete": Change.DELETE,
}


_COUNT = """
    SELECT _steno_op AS op, _steno_related_key IS NOT NULL AS moved, count(*) AS n FROM {table} GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A count that is not the same on both sides."""

    kind: Kind
    journal: int
    history: int

    def __str__(self) -> str:
        return (
            f"{self.kind.table}, {self.kind.change}: the CRM committed {self.journal:,}, "
            f"history has {self.history:,}"
        )


def count_history(console: QueryConsole, histories: Mapping[str, str]) -> Counter[Kind]:
    """What history holds, by source table; `histories` gives each table's history table.

    A key change is counted by the new key's row; its old key's row without a partner counts as a delete, so that
    half a key change shows as a difference. Raise ValueError for an op that a CRM's day does not have.
    """
    counts: Counter[Kind] = Counter()
    for table, history in histories.items():
        name = '"' + history.replace('"', '""') + '"'
        answer = console.query(_COUNT.format(table=name))
        halves = 0
        for row in answer.rows.to_pylist():
            change = Change.KEY_CHANGE if row["moved"] else _change(str(row["op"]))
            if row["moved"] and row["op"] == "delete":
                halves += int(row["n"])
            else:
                counts[Kind(table, change)] += int(row["n"])
        counts[Kind(table, Change.DELETE)] += halves - counts[Kind(table, Change.KEY_CHANGE)]
    return counts


def differences(journal: Mapping[Kind, int], history: Mapping[Kind, int]) -> list[Difference]:
    """Every kind whose counts differ, by table."""
    kinds = sorted(journal.keys() | history.keys(), key=lambda kind: (kind.table, kind.change))
    compared = [Difference(kind, journal.get(kind, 0), history.get(kind, 0)) for kind in kinds]
    return [each for each in compared if each.journal != each.history]


def _change(op: str) -> Change:
    if op not in _OP:
        raise ValueError(f"The CRM never does this, but history has it: {op}.")
    return _OP[op]
