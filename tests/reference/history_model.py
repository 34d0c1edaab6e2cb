"""What the views must answer, found by replaying a history change by change: slow and plain on purpose.

Knows no SQL. Its input is what the source did, in the source's order, and not how the log and the sink stored it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from stenograph.events import Missing

Key = tuple[object, ...]
Values = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One history row. `key` is None only for a truncate; `values` are the columns beside the key.

    `related` is the other key of a key change: its delete comes right before its create.
    """

    source: str
    op: str
    order: str
    at: datetime
    recorded_at: datetime
    key: Key | None = None
    values: tuple[object | Missing, ...] = ()
    related: Key | None = None
    changed_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A version of one row; `valid_to` and `ended_by` are None while it lasts."""

    source: str
    key: Key
    values: Values
    valid_from: datetime
    change: str
    known_from: datetime
    changed_after: datetime | None
    valid_to: datetime | None = None
    ended_by: str | None = None


@dataclass(slots=True)
class _Table:
    """The state of one source's table while its changes are replayed."""

    lasting: dict[Key, Version] = field(default_factory=dict)
    cut: dict[Key, Version] = field(default_factory=dict)
    """Versions that a truncate ended, until the next change of their key."""
    latest: dict[Key, datetime] = field(default_factory=dict)
    """The latest instant that a key's changes were said to have."""
    latest_cut: datetime | None = None
    moving: Values | None = None
    """The row that the first half of a key change took away."""
    ended: list[Version] = field(default_factory=list)


def versions(changes: Sequence[Change]) -> list[Version]:
    """Every version, of all sources; `changes` are in each source's own order."""
    tables: dict[str, _Table] = {}
    for change in changes:
        table = tables.setdefault(change.source, _Table())
        if change.op == "truncate":
            _truncate(table, change)
        elif change.op == "delete":
            _delete(table, change)
        else:
            _write(table, change)
    return [
        version
        for table in tables.values()
        for version in (*table.ended, *table.cut.values(), *table.lasting.values())
    ]


def current(changes: Sequence[Change]) -> list[tuple[str, Key, Values]]:
    """The rows that exist after all changes."""
    return [(one.source, one.key, one.values) for one in versions(changes) if one.valid_to is None]


def newest(changes: Sequence[Change], below: str) -> list[tuple[str, Key, Values]]:
    """The rows that exist after the changes below an order."""
    return current([change for change in changes if change.order < below])


def as_of(changes: Sequence[Change], at: datetime) -> list[tuple[str, Key, Values]]:
    """The rows as they were at an instant."""
    return [
        (one.source, one.key, one.values)
        for one in versions(changes)
        if one.valid_from <= at and (one.valid_to is None or at < one.valid_to)
    ]


def keyless(changes: Sequence[Change]) -> list[tuple[str, Values]]:
    """The rows of a table without a key: what came since the last truncate, less equal rows that were deleted."""
    tables: dict[str, list[Values]] = {}
    removed: dict[str, list[Values]] = {}
    for change in changes:
        if change.op == "truncate":
            tables[change.source] = []
            removed[change.source] = []
        elif change.op in {"create", "snapshot"}:
            tables.setdefault(change.source, []).append(change.values)
        elif change.op == "delete":
            removed.setdefault(change.source, []).append(change.values)
    for source, rows in removed.items():
        for row in rows:
            if row in tables.get(source, []):
                tables[source].remove(row)
    return [(source, row) for source, rows in tables.items() for row in rows]


def _truncate(table: _Table, change: Change) -> None:
    at = change.at if table.latest_cut is None else max(table.latest_cut, change.at)
    table.latest_cut = at
    for key, version in table.lasting.items():
        table.cut[key] = replace(version, valid_to=max(at, table.latest[key]), ended_by="truncate")
    table.lasting.clear()


def _delete(table: _Table, change: Change) -> None:
    assert change.key is not None
    at = _advance(table, change.key, change.at)
    gone = table.lasting.get(change.key)
    table.moving = gone.values if gone else None
    _end(table, change.key, at, "key change" if change.related else "delete")


def _write(table: _Table, change: Change) -> None:
    key = change.key
    assert key is not None
    at = _advance(table, key, change.at)
    arrived = change.op == "create" and change.related is not None
    lasting = table.lasting.get(key)
    known: Mapping[int, object] = dict(enumerate(_known(table, lasting, arrived) or ()))
    values = tuple(
        known.get(place) if value is Missing.UNCHANGED else value for place, value in enumerate(change.values)
    )
    if change.op == "snapshot" and _seen_again(table, key, values, at):
        return
    _end(table, key, at, change.op)
    table.lasting[key] = Version(
        change.source,
        key,
        values,
        at,
        "key change" if arrived else change.op,
        change.recorded_at,
        change.changed_after,
    )


def _known(table: _Table, lasting: Version | None, arrived: bool) -> Values | None:
    if arrived:
        return table.moving
    return lasting.values if lasting else None


def _seen_again(table: _Table, key: Key, values: Values, at: datetime) -> bool:
    """Whether a row that was read again says nothing new; a version that a truncate cut then goes on."""
    lasting = table.lasting.get(key)
    if lasting is not None:
        return lasting.values == values
    cut = table.cut.get(key)
    if cut is None or cut.values != values:
        return False
    assert cut.valid_to is not None
    if cut.valid_to < at:
        return False
    table.lasting[key] = replace(table.cut.pop(key), valid_to=None, ended_by=None)
    return True


def _advance(table: _Table, key: Key, at: datetime) -> datetime:
    table.latest[key] = max(table.latest.get(key, at), at)
    return table.latest[key]


def _end(table: _Table, key: Key, at: datetime, by: str) -> None:
    if lasting := table.lasting.pop(key, None):
        table.ended.append(replace(lasting, valid_to=at, ended_by=by))
    if cut := table.cut.pop(key, None):
        assert cut.valid_to is not None
        table.ended.append(replace(cut, valid_to=min(cut.valid_to, at)))
