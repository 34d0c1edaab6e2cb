"""Random appends, crashes and rival writers on one DuckDB ledger: each offset is in history once, and spans tile.

A crash is a connection that stops answering before or after a given statement; real kills are in tests/crash.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stenograph.errors import LedgerMoved
from stenograph.offsets import Mark
from stenograph.warehouses.duckdb.reader import DuckDBHistoryReader
from stenograph.warehouses.duckdb.settings import DuckDBSettings
from stenograph.warehouses.duckdb.warehouse import DuckDBWarehouse
from tests.dying_connection import Fate, Killed, Moment
from tests.history_batches import (
    GENERATION,
    LANE,
    TABLE,
    Stretch,
    assigned,
    batch,
    change,
    order,
    partition,
)

NUMBERS = (0, 1)
STATEMENTS_OF_AN_APPEND = 6
writers = st.sampled_from(["a", "b", "c"])
numbers = st.sampled_from([(0,), (1,), (0, 1)])


@dataclass(slots=True)
class Writer:
    """A sink that may be long dead for the ledger without knowing it: it believes its marks."""

    warehouse: DuckDBWarehouse
    fate: Fate
    marks: dict[int, Mark] = field(default_factory=dict)


class LedgerMachine(RuleBasedStateMachine):
    """The model: for each partition its fence and, for each offset, the status of the one row that stands there."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "history.duckdb"
        self.writers: dict[str, Writer] = {}
        self.fence = dict.fromkeys(NUMBERS, 0)
        self.stored: dict[int, list[str]] = {number: [] for number in NUMBERS}
        self.attempts = 0
        self.dirty = True

    def writer(self, name: str) -> Writer:
        if name not in self.writers:
            fate = Fate()
            warehouse = DuckDBWarehouse(self.path, DuckDBSettings(kind="duckdb"), fate.connect)
            self.writers[name] = Writer(warehouse, fate)
        return self.writers[name]

    @initialize()
    def table(self) -> None:
        self.writer("a").warehouse.evolve(change())

    @rule(name=writers, numbers=numbers)
    def claims(self, name: str, numbers: tuple[int, ...]) -> None:
        writer = self.writer(name)
        marks = writer.warehouse.claim(name, assigned(*numbers))
        for number in numbers:
            self.fence[number] += 1
            mark = marks[partition(number)]
            length = len(self.stored[number])
            assert (mark.next_offset, mark.fence) == (length, self.fence[number])
            assert {lane: found.order for lane, found in mark.lanes.items()} == (
                {LANE: order(length - 1)} if length else {}
            )
            writer.marks[number] = mark
        self.dirty = True

    @rule(name=writers, count=st.integers(0, 3))
    def appends(self, name: str, count: int) -> None:
        """Also the zombie's append: the writer does not know whether it still has the fence."""
        writer = self.writer(name)
        if writer.marks:
            self.attempt(writer, count)

    @rule(
        name=writers,
        count=st.integers(1, 3),
        die_at=st.integers(1, STATEMENTS_OF_AN_APPEND),
        moment=st.sampled_from(["before", "after"]),
    )
    def dies_in_an_append(self, name: str, count: int, die_at: int, moment: Moment) -> None:
        writer = self.writer(name)
        if not writer.marks:
            return
        writer.warehouse.shape(TABLE)
        writer.fate.begin(die_at, moment)
        self.attempt(writer, count)
        if writer.fate.reached:
            self.dies(name)
        else:
            writer.fate.begin(0, "before")

    @rule(name=writers)
    def dies(self, name: str) -> None:
        writer = self.writers.pop(name, None)
        if writer is not None:
            writer.fate.bury()

    @rule(name=writers)
    def closes(self, name: str) -> None:
        self.writer(name).warehouse.close()

    def attempt(self, writer: Writer, count: int) -> None:
        self.attempts += 1
        self.dirty = True
        status = f"attempt {self.attempts}"
        stretches = [
            Stretch(mark.next_offset, mark.next_offset + count, mark.fence, partition(number))
            for number, mark in writer.marks.items()
        ]
        wins = all(
            (mark.fence, mark.next_offset) == (self.fence[number], len(self.stored[number]))
            for number, mark in writer.marks.items()
        )
        given = batch(*stretches, status=status)
        try:
            writer.warehouse.append(given)
        except LedgerMoved:
            assert not wins
            writer.marks.clear()
            return
        except Killed:
            if not writer.fate.committed:
                return
        assert wins
        for number in writer.marks:
            self.stored[number] += [status] * count
            mark = writer.marks[number]
            writer.marks[number] = Mark(mark.next_offset + count, mark.fence)

    @precondition(lambda self: self.dirty)
    @invariant()
    def history_is_the_model(self) -> None:
        reader = DuckDBHistoryReader(self.path)
        ledger = reader.ledger()
        assert {place.number: (one.next_offset, one.fence) for place, one in ledger.items()} == {
            number: (len(self.stored[number]), fence) for number, fence in self.fence.items() if fence
        }
        spans = reader.spans()
        for number in NUMBERS:
            if self.fence[number]:
                found = reader.rows(TABLE, partition(number), GENERATION, 0, 1 << 60)
                assert found.column("_steno_log_offset").to_pylist() == list(range(found.num_rows))
                assert found.column("status").to_pylist() == self.stored[number]
            ours = [one.span for one in spans if one.span.partition.number == number]
            at = 0
            for span in sorted(ours, key=lambda span: (span.start, span.stop)):
                assert span.start == at
                at = span.stop
            assert at == len(self.stored[number])
        self.dirty = False

    def teardown(self) -> None:
        for name in list(self.writers):
            self.dies(name)
        self.folder.cleanup()


TestLedgerMachine = pytest.mark.timeout(300)(LedgerMachine.TestCase)
TestLedgerMachine.settings = settings(max_examples=25, stateful_step_count=25)
