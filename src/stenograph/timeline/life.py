"""One record's changes in the source's order, each with what it changed.

Reads history rows, not views: a delete and a key change belong to a life as much as its versions do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from stenograph.errors import ConfigurationError
from stenograph.ports import QueryConsole
from stenograph.schemas import Column, Kind, TablePlan, TableShape

_OWN = (
    "_steno_op",
    "_steno_source",
    "_steno_committed_at",
    "_steno_recorded_at",
    "_steno_related_key",
    "_steno_unchanged",
    "_steno_order",
    "_steno_transaction",
    "_steno_extra",
)
_CALENDAR = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.TIME})


@dataclass(frozen=True, slots=True)
class Change:
    """One column's old and new value, as text; None is null."""

    column: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of the record. `related_key` is the other key of a key change, as JSON text."""

    op: str
    source: str
    committed_at: datetime
    recorded_at: datetime
    changes: tuple[Change, ...]
    related_key: str | None
    transaction: str | None
    order: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """A record's life; `exists` is whether it exists after everything stored."""

    table: str
    key: Mapping[str, str]
    entries: tuple[Entry, ...]
    exists: bool

    def as_json(self) -> dict[str, object]:
        """The life as JSON takes it; times in ISO 8601, UTC."""
        return {
            "table": self.table,
            "key": dict(self.key),
            "exists": self.exists,
            "entries": [
                {
                    "op": entry.op,
                    "source": entry.source,
                    "committed_at": entry.committed_at.isoformat(),
                    "recorded_at": entry.recorded_at.isoformat(),
                    "changes": [{"column": c.column, "old": c.old, "new": c.new} for c in entry.changes],
                    "related_key": json.loads(entry.related_key) if entry.related_key else None,
                    "transaction": entry.transaction,
                    "order": entry.order,
                }
                for entry in self.entries
            ],
        }


def timeline(console: QueryConsole, plan: TablePlan, key: Sequence[str]) -> Timeline:
    """The life of the record with that key, its values as text in the key's order.

    Raise ConfigurationError if the table has no history yet, no key, or another number of key columns.
    """
    shape = _shape(console, plan, key)
    names = [column.name for column in shape.columns]
    told = [column for column in shape.columns if column.text_of is None]
    texts = {column.text_of: column.name for column in shape.columns if column.text_of is not None}
    chosen = ", ".join((*map(_selected, shape.columns), *map(_quoted, _OWN)))
    same_key = " AND ".join(f"CAST({_quoted(name)} AS VARCHAR) = ?" for name in shape.key)
    answer = console.query(
        f"SELECT {chosen} FROM {_quoted(plan.history)} "  # noqa: S608 - names are quoted, values are bound.
        f"WHERE ({same_key}) OR _steno_op = 'truncate' "
        "ORDER BY _steno_source, _steno_order, _steno_log_offset",
        list(key),
    )
    rows = answer.rows.select([*names, *_OWN]).to_pylist()
    entries, exists = _entries([_Row(row, _values(row, told, texts)) for row in rows])
    return Timeline(plan.history, dict(zip(shape.key, key, strict=True)), entries, exists)


def _shape(console: QueryConsole, plan: TablePlan, key: Sequence[str]) -> TableShape:
    shape = console.shapes().get(plan.history)
    if shape is None:
        raise ConfigurationError(
            f"{plan.history} has no rows yet.",
            hint="Start the pipeline with `steno run`, and look with `steno status`.",
            table=plan.history,
        )
    if not shape.key:
        raise ConfigurationError(
            f"{plan.table} has no primary key, so nothing tells one record's changes from another's.",
            hint=f"Ask for the rows that you mean with `steno sql`, in {plan.history}.",
            table=plan.history,
        )
    if len(key) != len(shape.key):
        raise ConfigurationError(
            f"The key of {plan.history} has {_counted(len(shape.key), 'column')}, and "
            f"{_counted(len(key), 'value')} {'was' if len(key) == 1 else 'were'} given.",
            hint=f"Give the key's values in this order: {' '.join(shape.key)}.",
            table=plan.history,
        )
    return shape


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@dataclass(frozen=True, slots=True)
class _Row:
    """A history row, and its columns' values as text."""

    own: Mapping[str, object]
    values: Mapping[str, str | None]


def _values(
    row: Mapping[str, object], columns: Sequence[Column], texts: Mapping[str, str]
) -> dict[str, str | None]:
    """The values by column: exact texts where a column cannot hold one, and from beside it what is older than it."""
    extra = json.loads(str(row["_steno_extra"])) if row["_steno_extra"] is not None else {}
    values: dict[str, str | None] = {}
    for column in columns:
        value = row[column.name]
        if value is None and column.name in texts:
            value = row[texts[column.name]]
        if value is None:
            value = extra.get(f"{column.name}__text")
        if value is None and column.lift is not None:
            value = _as_column(extra.get(column.lift.source), column.type.kind)
        values[column.name] = _text(value)
    return values


def _as_column(value: object, kind: Kind) -> object:
    if isinstance(value, str) and kind in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
        # As the warehouse writes an instant.
        spaced = value.replace("T", " ", 1)
        return spaced.removesuffix(":00") if kind is Kind.TIMESTAMPTZ else spaced
    return value


def _entries(rows: Sequence[_Row]) -> tuple[tuple[Entry, ...], bool]:
    entries: list[Entry] = []
    now: dict[str, str | None] | None = None
    ended: dict[str, str | None] | None = None
    for each in rows:
        row, values = each.own, each.values
        match str(row["_steno_op"]):
            case "truncate" if now is None:
                continue
            case "truncate":
                now, ended = None, now
                entries.append(_entry(row, ()))
                continue
            case "delete":
                now = ended = None
                entries.append(_entry(row, ()))
                continue
            case "snapshot" if ended is not None and _is_same_instant(row, entries):
                # The table was read again: what it marked as ended goes on.
                now, ended = ended, None
                entries.pop()
        unchanged = set(cast(Sequence[str], row["_steno_unchanged"] or ()))
        before = now or {}
        now = {name: before.get(name) if name in unchanged else value for name, value in values.items()}
        changes = tuple(Change(n, before.get(n), now[n]) for n in now if before.get(n) != now[n])
        if changes or row["_steno_op"] != "snapshot":
            entries.append(_entry(row, changes))
    return tuple(entries), now is not None


def _is_same_instant(row: Mapping[str, object], entries: Sequence[Entry]) -> bool:
    return entries[-1].op == "truncate" and entries[-1].committed_at == row["_steno_committed_at"]


def _entry(row: Mapping[str, object], changes: tuple[Change, ...]) -> Entry:
    related, transaction = row["_steno_related_key"], row["_steno_transaction"]
    return Entry(
        op=str(row["_steno_op"]),
        source=str(row["_steno_source"]),
        committed_at=cast(datetime, row["_steno_committed_at"]),
        recorded_at=cast(datetime, row["_steno_recorded_at"]),
        changes=changes,
        related_key=None if related is None else str(related),
        transaction=None if transaction is None else str(transaction),
        order=str(row["_steno_order"]),
    )


def _selected(column: Column) -> str:
    """A select item; what Python's calendar cannot hold leaves the warehouse as text."""
    name = _quoted(column.name)
    return f"CAST({name} AS VARCHAR) AS {name}" if column.type.kind in _CALENDAR else name


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case datetime():
            return value.isoformat(sep=" ")
        case bytes():
            return value.hex()
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
