"""Compares the newest state in history with the source's own tables, both at one position.

Holds 32 bytes a row of one table in memory, no values.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain

import pyarrow as pa

from stenograph.history import plain_rows, row_digest
from stenograph.ports import HistoryReader, SourceAudit
from stenograph.schemas import Kind, TablePlan, TableShape
from stenograph.verify.report import Report

CHECK = "source"


def check_source_state(
    plan: TablePlan,
    shape: TableShape,
    audit: SourceAudit,
    history: HistoryReader,
    excused: Collection[bytes],
    report: Report,
) -> None:
    """Name every key that only one side has or whose row differs. `excused` are digests of quarantined keys.

    Only columns that the source has now are compared: one that it dropped keeps its last values in history.
    """
    newest = history.newest(plan.history, plan.source, audit.position())
    chunks = audit.rows(plan, shape)
    first = next(chunks, None)
    names = [
        name for name in (newest if first is None else first).column_names if _is_comparable(shape, name)
    ]
    theirs = _plain(chain([] if first is None else [first], chunks), names)
    if shape.key:
        _check_keyed(plan, shape.key, names, newest, theirs, excused, report)
    else:
        _check_keyless(plan, names, newest, theirs, report)


def _is_comparable(shape: TableShape, name: str) -> bool:
    """Whether both sides have the column in one form: a JSON text that was lifted out of another is written anew."""
    column = shape.column(name)
    return column is not None and (column.lift is None or column.type.kind is not Kind.JSON)


def _check_keyed(
    plan: TablePlan,
    key: Sequence[str],
    names: Sequence[str],
    newest: pa.Table,
    theirs: Iterable[tuple[object, ...]],
    excused: Collection[bytes],
    report: Report,
) -> None:
    at = [names.index(name) for name in key]
    ours = {_digest(row, at): row_digest(row) for row in _plain([newest], names)}
    for row in theirs:
        report.counts["source_rows"] += 1
        digest = _digest(row, at)
        mine = ours.pop(digest, None)
        if digest in excused:
            continue
        if mine is None:
            report.differs(CHECK, plan.history, _key(row, at, key), "the source has the row, history not")
        elif mine != row_digest(row):
            report.differs(CHECK, plan.history, _key(row, at, key), "the row differs from the source's")
    left = ours.keys() - set(excused)
    if left:
        for row in _plain([newest], names):
            if _digest(row, at) in left:
                report.differs(CHECK, plan.history, _key(row, at, key), "history has the row, the source not")


def _check_keyless(
    plan: TablePlan,
    names: Sequence[str],
    newest: pa.Table,
    theirs: Iterable[tuple[object, ...]],
    report: Report,
) -> None:
    ours = Counter(row_digest(row) for row in _plain([newest], names))
    found = Counter(row_digest(row) for row in theirs)
    report.counts["source_rows"] += found.total()
    missing, extra = (found - ours).total(), (ours - found).total()
    if missing or extra:
        report.differs(
            CHECK, plan.history, "(no key)", f"{missing} rows are only in the source, {extra} only in history"
        )


def _plain(tables: Iterable[pa.Table], names: Sequence[str]) -> Iterator[tuple[object, ...]]:
    for table in tables:
        yield from plain_rows(table.select(names))


def _digest(row: Sequence[object], at: Sequence[int]) -> bytes:
    return row_digest([row[index] for index in at])


def _key(row: Sequence[object], at: Sequence[int], key: Sequence[str]) -> str:
    named = {name: row[index] for name, index in zip(key, at, strict=True)}
    return json.dumps(named, ensure_ascii=False, default=str)
