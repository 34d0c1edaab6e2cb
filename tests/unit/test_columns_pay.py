"""Whole columns are encoded only where that is less work than row by row."""

from __future__ import annotations

import pytest

from stenograph.events import TableId
from stenograph.packing import Packed
from stenograph.sources.postgres.express import AT_ONCE
from stenograph.sources.postgres.messages import Begin, NotSent
from stenograph.sources.postgres.setback import MOST, Setback
from stenograph.sources.postgres.transaction import OpenTransaction
from tests.every_type import COMMITTED, LSN, RUN, by_express, captured, plain
from tests.pgoutput_frames import insert_frame


@pytest.mark.parametrize("sure", [0, 1, 20])
def test_rows_that_need_the_reference_again_and_again_cost_few_runs(sure: int) -> None:
    setback, done, in_vain = Setback(), 0, 0
    while done < 100_000:
        if setback.rows > 0:
            setback.note_alone(sure)
        else:
            setback.note_run(sure, 2048)
            in_vain += 2048 - sure
        done += sure + 1
    assert in_vain < 50_000


def test_a_run_without_a_doubt_ends_the_setback() -> None:
    setback = Setback()
    for _ in range(20):
        setback.note_run(0, 2048)
    assert setback.rows == MOST
    setback.note_alone(MOST)
    setback.note_run(2048, 2048)
    assert setback.rows == 0


@pytest.mark.parametrize("tables", [1, 8])
def test_many_tables_with_few_changes_each_are_encoded_one_by_one(tables: int) -> None:
    made = [
        captured("d", True, ("int8",), False, TableId("public", f"t{oid}"), oid)
        for oid in range(1, tables + 1)
    ]
    row: list[bytes | NotSent] = [plain(column.name) for column in made[0].form.wire.columns]
    sent = [insert_frame(LSN, 1 + number % tables, row) for number in range(AT_ONCE)]
    batch = by_express(sent, made, OpenTransaction(Begin(LSN, COMMITTED, 9), RUN, None), AT_ONCE, limit=1000)
    assert len(batch) == AT_ONCE
    # What whole columns make is packed; one by one it is a list.
    assert isinstance(batch.finished(None).values, Packed) == (tables == 1)
