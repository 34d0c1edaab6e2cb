"""Compares the newest state in history with the source's own tables, both at one position.

Holds 32 bytes a row of one table in memory, no values.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence

from stenograph.history import plain_rows, row_digest
from stenograph.ports import HistoryReader, SourceAudit
from stenograph.schemas import TablePlan, TableShape
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
    """Name every key that only one side has or whose row differs. `excused` are digests of quarantined keys."""
    names = [column.name for column in shape.columns]
    key = [names.index(name) for name in shape.key]
    if not key:
        _check_keyless(plan, shape, names, audit, history, report)
        return
    ours: dict[bytes, bytes] = {}
    for row in plain_rows(history.newest(plan.history, audit.position()).select(names)):
        ours[row_digest([row[index] for index in key])] = row_digest(row)
    for chunk in audit.rows(plan, shape):
        for row in plain_rows(chunk.select(names)):
            report.counts["source_rows"] += 1
            digest = row_digest([row[index] for index in key])
            mine = ours.pop(digest, None)
            if digest in excused:
                continue
            if mine is None:
                report.differs(
                    CHECK, plan.history, _key(row, key, shape), "the source has the row, history not"
                )
            elif mine != row_digest(row):
                report.differs(
                    CHECK, plan.history, _key(row, key, shape), "the row differs from the source's"
                )
    left = {digest for digest in ours if digest not in excused}
    if left:
        for row in plain_rows(history.newest(plan.history, audit.position()).select(names)):
            if row_digest([row[index] for index in key]) in left:
                report.differs(
                    CHECK, plan.history, _key(row, key, shape), "history has the row, the source not"
                )


def _check_keyless(
    plan: TablePlan,
    shape: TableShape,
    names: Sequence[str],
    audit: SourceAudit,
    history: HistoryReader,
    report: Report,
) -> None:
    ours = Counter(
        row_digest(row) for row in plain_rows(history.newest(plan.history, audit.position()).select(names))
    )
    theirs: Counter[bytes] = Counter()
    for chunk in audit.rows(plan, shape):
        for row in plain_rows(chunk.select(names)):
            report.counts["source_rows"] += 1
            theirs[row_digest(row)] += 1
    missing, extra = (theirs - ours).total(), (ours - theirs).total()
    if missing or extra:
        report.differs(
            CHECK, plan.history, "(no key)", f"{missing} rows are only in the source, {extra} only in history"
        )


def _key(row: Sequence[object], key: Sequence[int], shape: TableShape) -> str:
    named = {name: row[index] for name, index in zip(shape.key, key, strict=True)}
    return json.dumps(named, ensure_ascii=False, default=str)
