"""Stage `deep`: a history of ten million rows, made by the warehouse's own append.

No log is read here: what is measured is whether ledger, lanes, spans and the rows that are there slow the append,
and how long an analyst waits for an answer.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from bench.figures import Figure, Say, median
from bench.reaches import shown
from bench.stand import Stand
from stenograph.history import HistoryBatch, arrow_schema
from stenograph.offsets import Assignment, LaneMark, Partition, Span, order_of
from stenograph.schemas import Column, ColumnType, Kind, SchemaChange, TableShape
from stenograph.warehouses.duckdb.console import DuckDBConsole
from stenograph.warehouses.duckdb.settings import DuckDBSettings
from stenograph.warehouses.duckdb.warehouse import DuckDBWarehouse

ROWS = 10_000_000
KEYS = 1_000_000
APPEND = 122_880
EARLY = 1_000_000
ROUNDS = 3
PARTITIONS = 4
SHAPE = TableShape(
    (
        Column("id", ColumnType(Kind.INT64)),
        Column("email", ColumnType(Kind.TEXT)),
        Column("company", ColumnType(Kind.TEXT)),
        Column("status", ColumnType(Kind.TEXT)),
        Column("owner_id", ColumnType(Kind.INT32)),
        Column("score", ColumnType(Kind.INT32)),
        Column("updated_at", ColumnType(Kind.TIMESTAMPTZ)),
        Column("amount", ColumnType(Kind.DECIMAL, 12, 2)),
    ),
    ("id",),
)
_MADE = """
SELECT (hash(i) % {keys})::BIGINT AS id, 'user' || hash(i) % {keys} || '@example.com' AS email,
    'Company ' || hash(i + 3) % 40000 AS company,
    ['new', 'working', 'nurturing', 'qualified', 'lost'][1 + (hash(i + 4) % 5)::INTEGER] AS status,
    (hash(i + 5) % 200)::INTEGER AS owner_id, (hash(i + 6) % 100)::INTEGER AS score,
    TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_milliseconds(i * 3000) AS updated_at,
    ((hash(i + 7) % 1000000) / 100.0)::DECIMAL(12, 2) AS amount,
    CASE WHEN hash(i + 9) % 50 = 0 THEN 'delete' ELSE 'update' END AS _steno_op, 'crm' AS _steno_source,
    updated_at AS _steno_committed_at, updated_at AS _steno_changed_at, updated_at AS _steno_observed_at,
    '{lane}' AS _steno_lane, printf('%016x%016x%016x%08x', 1, i * 200, i * 200, 0) AS _steno_order,
    'public.lead' AS _steno_topic, 'generation' AS _steno_log_generation,
    0::INTEGER AS _steno_log_partition, i AS _steno_log_offset, 'a1b2c3d4e5f60718' AS _steno_schema
FROM range({start}, {stop}) AS t(i)
"""
LANE = "crm/stream/7000000000000000000-1"
_VIEWS = {
    "view-current": "SELECT status, count(*), sum(amount) FROM lead_current GROUP BY status",
    "view-as-of": "SELECT status, count(*), sum(amount) FROM lead_as_of('2024-06-01 00:00:00+00') GROUP BY status",
    "view-by-month": """
        SELECT date_trunc('month', valid_from) AS month, status, count(*)
        FROM lead_versions GROUP BY ALL
    """,
}


def measure(stand: Stand, say: Say) -> list[Figure]:
    """`growth-history`, then `view-current`, `view-as-of` and `view-by-month` of the history that has grown."""
    with _built(stand, say) as (path, spent):
        return [_growth(spent), *_views(path, say)]


def _growth(spent: list[float]) -> Figure:
    count = EARLY // APPEND
    early, late = spent[:count], spent[-count:]
    beside = {
        "the first million": shown(median(early) * 1000, "ms an append"),
        "the tenth": shown(median(late) * 1000, "ms an append"),
        "all": shown(len(spent) * APPEND / sum(spent), "rows/s"),
    }
    ratios = tuple(b / a for a, b in zip(sorted(early), sorted(late), strict=True))
    return Figure("growth-history", ratios, beside, f"Appends of {APPEND:,} rows.")


def _views(path: Path, say: Say) -> list[Figure]:
    """As an analyst's statement takes its turn at the file."""
    console = DuckDBConsole(path)
    size = shown(path.stat().st_size / 1e6, "MB")
    figures = []
    for name, sql in _VIEWS.items():
        runs = []
        for number in range(ROUNDS):
            say(f"{name}, round {number + 1} of {ROUNDS}")
            begun = time.perf_counter()
            console.query(sql)
            runs.append((time.perf_counter() - begun) * 1000)
        figures.append(Figure(name, tuple(runs), {"the file": size}, f"{ROWS:,} rows, {KEYS:,} keys."))
    return figures


@contextmanager
def _built(stand: Stand, say: Say) -> Iterator[tuple[Path, list[float]]]:
    """A history of ROWS rows, and the seconds that each append took."""
    folder = Path(tempfile.mkdtemp(dir=stand.folder, prefix="deep-"))
    path = folder / "history.duckdb"
    warehouse = DuckDBWarehouse(path, DuckDBSettings(kind="duckdb"))
    try:
        partition = Partition("public.lead", 0)
        fence = warehouse.claim("bench", {partition: Assignment("generation", PARTITIONS)})[partition].fence
        warehouse.evolve(SchemaChange("lead_history", SHAPE, ()))
        spent = []
        for start in range(0, ROWS, APPEND):
            if start % (APPEND * 20) == 0:
                say(f"a history of {start:,} rows grows")
            stop = min(start + APPEND, ROWS)
            rows = _rows(start, stop)
            batch = HistoryBatch(
                table="lead_history",
                shape=SHAPE,
                rows=rows,
                spans=(
                    Span(partition, "generation", start, stop, stop - start, stop - start, 0, 0, 0, "bench"),
                ),
                fences={partition: fence},
                lanes={(partition, LANE): LaneMark(order_of(1, stop * 200, stop * 200, 0), 0)},
            )
            begun = time.perf_counter()
            warehouse.append(batch)
            if stop - start == APPEND:
                spent.append(time.perf_counter() - begun)
        warehouse.close()
        yield path, spent
    finally:
        warehouse.close()
        shutil.rmtree(folder)


def _rows(start: int, stop: int) -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        made = connection.sql(_MADE.format(keys=KEYS, lane=LANE, start=start, stop=stop)).to_arrow_table()
    schema = arrow_schema(SHAPE)
    columns = [
        made.column(field.name).cast(field.type)
        if field.name in made.column_names
        else pa.nulls(len(made), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema).combine_chunks()
