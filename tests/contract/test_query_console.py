"""The contract of `QueryConsole`, against every adapter that can start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stenograph.errors import WarehouseRefused
from tests.history_adapters import ADAPTERS, Adapter
from tests.history_batches import LEAD, TABLE, assigned, batch, change, partition, stretch

_ROOT = Path(__file__).parents[2]
COUNT = f"SELECT count(*) AS rows FROM {TABLE}"


@pytest.fixture(params=ADAPTERS.keys())
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty(kind: str, tmp_path: Path) -> Iterator[Adapter]:
    made = ADAPTERS[kind](tmp_path)
    yield made
    made.close()


@pytest.fixture
def adapter(empty: Adapter) -> Adapter:
    """A history of three leads."""
    warehouse = empty.warehouse()
    warehouse.evolve(change())
    warehouse.append(batch(stretch(warehouse.claim("w", assigned(0))[partition()], 3)))
    return empty


def test_without_a_history_the_console_says_so(empty: Adapter) -> None:
    assert empty.console.shapes() == {}
    with pytest.raises(WarehouseRefused, match="no history yet"):
        empty.console.query("SELECT 1")


def test_an_answer_has_its_columns_in_order(adapter: Adapter) -> None:
    answer = adapter.console.query(f"SELECT status, id FROM {TABLE} ORDER BY id")
    assert answer.columns == ("status", "id")
    assert answer.rows.to_pylist() == [{"status": "new", "id": number} for number in range(3)]


def test_columns_may_share_a_name(adapter: Adapter) -> None:
    assert adapter.console.query("SELECT 1 AS a, 2 AS a").columns == ("a", "a")


def test_parameters_are_bound_and_not_spliced(adapter: Adapter) -> None:
    answer = adapter.console.query(
        "SELECT ? AS said, CAST(? AS INTEGER) AS number", ["'; DROP TABLE x; --", 3]
    )
    assert answer.rows.to_pylist() == [{"said": "'; DROP TABLE x; --", "number": 3}]


def test_the_shapes_are_those_of_the_history_tables(adapter: Adapter) -> None:
    assert adapter.console.shapes() == {TABLE: LEAD}


@pytest.mark.parametrize(
    "sql",
    [
        f"DELETE FROM {TABLE}",
        f"INSERT INTO {TABLE} (id) VALUES (9)",
        f"UPDATE {TABLE} SET status = 'x'",
        f"DROP TABLE {TABLE}",
        f"TRUNCATE {TABLE}",
        "CREATE TABLE other (a INTEGER)",
        f"ALTER TABLE {TABLE} ADD COLUMN z INTEGER",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/out.csv'",
        f"EXPLAIN ANALYZE DELETE FROM {TABLE}",
        f"SELECT 1; DELETE FROM {TABLE}",
        "ATTACH '{folder}/other.db' AS other",
        "COMMIT",
        "",
        "-- nothing",
    ],
)
def test_what_is_not_one_query_is_refused_and_changes_nothing(
    adapter: Adapter, tmp_path: Path, sql: str
) -> None:
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(WarehouseRefused):
        adapter.console.query(sql.replace("{folder}", str(tmp_path)))
    assert adapter.console.query(COUNT).rows.to_pylist() == [{"rows": 3}]
    assert {path.name for path in tmp_path.iterdir()} <= before


def test_a_misspelt_query_is_refused_in_the_warehouse_s_own_words(adapter: Adapter) -> None:
    with pytest.raises(WarehouseRefused, match="statsu"):
        adapter.console.query(f"SELECT statsu FROM {TABLE}")
    with pytest.raises(WarehouseRefused):
        adapter.console.query("SELEC 1")
    with pytest.raises(WarehouseRefused):
        adapter.console.query("SELECT ?")
    assert adapter.console.query(COUNT).rows.to_pylist() == [{"rows": 3}]


@pytest.mark.parametrize(
    "sql", ["EXPLAIN SELECT 1", "explain analyze select 1", "WITH x AS (SELECT 1) SELECT * FROM x;"]
)
def test_queries_of_every_form_are_answered(adapter: Adapter, sql: str) -> None:
    assert adapter.console.query(sql).rows.num_rows >= 1


def test_a_session_that_stays_open_neither_stops_the_sink_nor_goes_stale(
    kind: str, adapter: Adapter, tmp_path: Path
) -> None:
    adapter.close()
    answer = adapter.console.query(f"SELECT * FROM {TABLE}")
    command = [sys.executable, "-m", "tests.history_writer", kind, str(tmp_path), "10"]
    done = subprocess.run(
        command, cwd=_ROOT, stdin=subprocess.PIPE, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "claimed\n23\n", "")
    assert answer.rows.num_rows == 3
    assert adapter.console.query(COUNT).rows.to_pylist() == [{"rows": 23}]
