"""The contract of `HistoryReader`, against every adapter that can start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stenograph.errors import WarehouseRefused
from tests.history_adapters import ADAPTERS, Adapter
from tests.history_batches import (
    GENERATION,
    TABLE,
    Stretch,
    assigned,
    batch,
    change,
    history_rows,
    order,
    partition,
    stretch,
)

_ROOT = Path(__file__).parents[2]


@pytest.fixture(params=ADAPTERS.keys())
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def adapter(kind: str, tmp_path: Path) -> Iterator[Adapter]:
    made = ADAPTERS[kind](tmp_path)
    yield made
    made.close()


def test_a_history_that_was_never_written_is_empty(adapter: Adapter, tmp_path: Path) -> None:
    assert adapter.reader.ledger() == {}
    assert list(adapter.reader.spans()) == []
    assert [list(found) for found in adapter.reader.incidents()] == [[], []]
    assert list(tmp_path.iterdir()) == []


def test_rows_of_a_table_that_is_not_there_are_refused(adapter: Adapter) -> None:
    with pytest.raises(WarehouseRefused, match="no history table"):
        adapter.reader.rows("nothing_history", partition(), GENERATION, 0, 1)
    adapter.warehouse().evolve(change())
    with pytest.raises(WarehouseRefused, match="no history table"):
        adapter.reader.newest("nothing_history", "crm", order(1))


def test_rows_are_those_of_the_stretch_by_offset(adapter: Adapter) -> None:
    warehouse = adapter.warehouse()
    warehouse.evolve(change())
    marks = warehouse.claim("w", assigned(0, 1))
    offsets = [4, 2, 0, 3, 1]
    rows = history_rows([{"id": offset} for offset in offsets], offsets)
    warehouse.append(batch(stretch(marks[partition()], 5), rows=rows))
    warehouse.append(batch(stretch(marks[partition(1)], 5, partition(1))))
    found = adapter.reader.rows(TABLE, partition(), GENERATION, 1, 4)
    assert found.column("_steno_log_offset").to_pylist() == [1, 2, 3]
    assert set(found.column("_steno_log_partition").to_pylist()) == {0}
    assert adapter.reader.rows(TABLE, partition(), "another", 0, 9).num_rows == 0


def test_spans_come_by_partition_and_start(adapter: Adapter) -> None:
    warehouse = adapter.warehouse()
    warehouse.evolve(change())
    marks = warehouse.claim("w", assigned(0, 1))
    for number in (1, 0):
        fence = marks[partition(number)].fence
        for start in (0, 2, 4):
            warehouse.append(batch(Stretch(start, start + 2, fence, partition(number))))
    places = [(one.span.partition.number, one.span.start) for one in adapter.reader.spans()]
    assert places == [(0, 0), (0, 2), (0, 4), (1, 0), (1, 2), (1, 4)]


def test_the_newest_rows_are_those_below_the_order(adapter: Adapter) -> None:
    warehouse = adapter.warehouse()
    warehouse.evolve(change())
    mark = warehouse.claim("w", assigned(0))[partition()]
    values = [
        {"id": 1, "status": "new"},
        {"id": 2, "status": "new"},
        {"id": 1, "status": "won", "_steno_op": "update"},
        {"id": 2, "_steno_op": "delete"},
    ]
    warehouse.append(batch(stretch(mark, 4), rows=history_rows(values, range(4))))
    below = {stop: adapter.reader.newest(TABLE, "crm", order(stop)).to_pylist() for stop in (0, 2, 3, 4)}
    assert {stop: sorted((row["id"], row["status"]) for row in rows) for stop, rows in below.items()} == {
        0: [],
        2: [(1, "new"), (2, "new")],
        3: [(1, "won"), (2, "new")],
        4: [(1, "won")],
    }


def test_each_call_sees_one_committed_state_while_another_process_writes(
    kind: str, adapter: Adapter, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.history_writer", kind, str(tmp_path), "0"]
    with subprocess.Popen(
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "claimed\n"
        seen = [0]
        while len(set(seen)) < 5:
            stored = adapter.reader.spans()
            starts = [one.span.start for one in stored]
            stops = [one.span.stop for one in stored]
            assert starts == [0, *stops[:-1]][: len(starts)]
            seen.append(adapter.reader.ledger()[partition()].next_offset)
            assert seen[-1] >= (stops[-1] if stops else 0)
            rows = adapter.reader.rows(TABLE, partition(), GENERATION, 0, 1 << 60)
            assert rows.column("id").to_pylist() == list(range(rows.num_rows))
            assert rows.num_rows >= seen[-1]
        reached, _ = writer.communicate()
    assert writer.returncode == 0
    assert seen == sorted(seen)
    assert adapter.reader.ledger()[partition()].next_offset == int(reached)
