"""What real Debezium wrote becomes the right history: expected rows are written out by hand."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stenograph.events import TableId
from stenograph.history import FlushLimits
from stenograph.pipeline.models import load_model
from stenograph.ports import LoggedBatch
from stenograph.resources import bundled
from stenograph.schemas import Model, TablePlan
from stenograph.sink import Readers, Sink
from tests.golden_records import FiledReader, GoldenRegistry, logged, table_records
from tests.small_pipeline import NO_WAIT, SmallPipeline

STREAM, SNAPSHOT = "golden/postgresql", "golden/postgresql/snapshot"
GRACE_NOTES = "naïve café ☕ 漢字"
BIG = "".join(
    hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest() for number in range(1, 2001)
)


@pytest.fixture
def lead_model() -> Model:
    return load_model(bundled("schemas"), "lead")


def plan(table: str, model: Model | None = None) -> TablePlan:
    return TablePlan("golden", TableId("public", table), f"golden.public.{table}", f"{table}_history", model)


def stored(folder: Path, of: TablePlan, *batches: LoggedBatch) -> SmallPipeline:
    """A history into which these batches have gone, as one sink would bring them."""
    pipeline = SmallPipeline(folder, [of])
    sink = Sink(
        "test",
        [of],
        "golden.gaps",
        lambda: FiledReader(batches),
        pipeline.warehouse(),
        Readers(GoldenRegistry()),
        FlushLimits(rows=5_000, bytes=1 << 24, seconds=0),
    )
    with closing(sink):
        while sink.step(NO_WAIT):
            pass
    return pipeline


def golden(folder: Path, table: str, model: Model | None = None) -> SmallPipeline:
    return stored(folder, plan(table, model), logged(table_records(table)))


def rows(pipeline: SmallPipeline, columns: str) -> list[tuple[Any, ...]]:
    table = pipeline.plans[0].history
    return pipeline.ask(f"SELECT {columns} FROM {table} ORDER BY _steno_log_offset")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


CREATED, UPDATED = at("2025-01-02 03:04:05.678901"), at("2025-01-02 03:04:05")
CONTACTED, NOON, MARCH = at("2025-02-01 00:00:00.1"), at("2025-01-02 12:00"), at("2025-03-01")
ADA, GRACE = "ada@example.com", "grace@example.com"
HUNDRED = Decimal("100.50")
# fmt: off
LEAD_LIFE = [
    # offset, op, id, email, first_name, status, score, amount, is_customer, created, updated, notes, other key
    (0, "snapshot", 1,  ADA,   "Ada",   "new",       10,   HUNDRED, False, CREATED, UPDATED,   None,        None),
    (2, "create",   2,  GRACE, "Grace", "new",       None, None,    True,  NOON,    None,      GRACE_NOTES, None),
    (3, "update",   1,  ADA,   "Ada",   "contacted", 10,   HUNDRED, False, CREATED, CONTACTED, None,        None),
    (4, "delete",   1,  None,  None,    None,        None, None,    None,  None,    None,      None,       '{"id":10}'),
    (6, "create",   10, ADA,   "Ada",   "contacted", 10,   HUNDRED, False, CREATED, CONTACTED, None,        '{"id":1}'),
    (7, "delete",   2,  None,  None,    None,        None, None,    None,  None,    None,      None,        None),
]
# fmt: on


def bulk(offset: int, op: str, number: int, status: str) -> tuple[Any, ...]:
    """A row of the transaction that creates leads 100 to 119."""
    email, amount = f"bulk{number}@example.com", Decimal(f"{number}.00")
    return (offset, op, number, email, None, status, number, amount, False, MARCH, None, None, None)


BULK_CREATED = [
    bulk(offset, "create", number, "new") for offset, number in enumerate(range(100, 120), start=10)
]
BULK_WON = [bulk(offset, "update", number, "won") for offset, number in enumerate(range(100, 105), start=30)]
BULK_DELETED = [(35, "delete", 119, *[None] * 10)]
LEADS = [*LEAD_LIFE, *BULK_CREATED, *BULK_WON, *BULK_DELETED]
LEAD_COLUMNS = (
    "_steno_log_offset, _steno_op, id, email, first_name, status, score, amount, is_customer, created_at, "
    "updated_at, notes, _steno_related_key"
)


def test_the_leads_of_debezium_become_their_history(tmp_path: Path) -> None:
    assert rows(golden(tmp_path, "lead"), LEAD_COLUMNS) == LEADS


def test_the_leads_become_the_same_history_in_the_companys_model(tmp_path: Path, lead_model: Model) -> None:
    pipeline = golden(tmp_path, "lead", lead_model)

    assert rows(pipeline, LEAD_COLUMNS) == LEADS
    assert pipeline.ask(
        "SELECT DISTINCT company, phone, owner_id, source, _steno_model_version, _steno_extra FROM lead_history"
    ) == [(None, None, None, None, 2, None)]


def test_a_column_outside_the_model_is_kept_beside_it(tmp_path: Path, lead_model: Model) -> None:
    shape = lead_model.shape
    narrow = replace(
        lead_model,
        shape=replace(
            shape, columns=tuple(c for c in shape.columns if c.name not in ("amount", "created_at"))
        ),
    )

    extras = rows(golden(tmp_path, "lead", narrow), "_steno_op, _steno_extra")

    ada = '{"amount":"100.50","created_at":"2025-01-02T03:04:05.678901+00:00"}'
    assert extras[:4] == [
        ("snapshot", ada),
        ("create", '{"amount":null,"created_at":"2025-01-02T12:00:00+00:00"}'),
        ("update", ada),
        ("delete", None),
    ]


def test_the_place_of_every_lead_in_its_source_is_kept(tmp_path: Path) -> None:
    found = rows(
        golden(tmp_path, "lead"),
        "_steno_op, _steno_lane, _steno_order, _steno_transaction, _steno_committed_at, _steno_changed_after",
    )

    def order(commit: int, change: int, ordinal: int) -> str:
        return f"{0:08x}{commit:016x}{change:016x}{ordinal:08x}"

    dawn = datetime(1, 1, 1, tzinfo=UTC)
    # fmt: off
    assert found[:6] == [
        ("snapshot", SNAPSHOT, order(21837760, 0, 0), None,           at("2026-11-23 21:47:41.684497"), dawn),
        ("create",   STREAM,   order(0, 21837800, 1), "755:21837800", at("2026-11-23 21:47:45.055660"), None),
        ("update",   STREAM,   order(21838048, 21838048, 1), "756:21838048", at("2026-11-23 21:47:45.056416"), None),
        ("delete",   STREAM,   order(21838248, 21838248, 1), "757:21838248", at("2026-11-23 21:47:45.056668"), None),
        ("create",   STREAM,   order(21838248, 21838248, 2), "757:21838248", at("2026-11-23 21:47:45.056668"), None),
        ("delete",   STREAM,   order(21838528, 21838528, 1), "758:21838528", at("2026-11-23 21:47:45.056858"), None),
    ]
    # fmt: on
    streamed = [row[2] for row in found[1:]]
    assert streamed == sorted(set(streamed))


# fmt: off
COMPOSITE = [
    # offset, op, region, seq, body, related key
    (0, "snapshot", "eu", 1, "snapshot row", None),
    (2, "create",   "us", 1, "a",            None),
    (3, "create",   "us", 2, "b",            None),
    (4, "delete",   "us", 2, None,           '{"region":"us","seq":3}'),
    (6, "create",   "us", 3, "moved",        '{"region":"us","seq":2}'),
    (7, "delete",   "eu", 1, None,           None),
]
IDENTITY = [
    # offset, op, id, a, b, d, big, unchanged, related key
    (0, "create", 1, "x",  Decimal("3.75"), date(2024, 1, 1), BIG,  None,    None),
    (1, "update", 1, "y",  Decimal("3.75"), date(2024, 1, 1), None, ["big"], None),
    (2, "delete", 1, None, None,            None,             None, None,    '{"id":2}'),
    (4, "create", 2, "y",  Decimal("3.75"), date(2024, 1, 1), None, ["big"], '{"id":1}'),
    (5, "delete", 2, None, None,            None,             None, None,    None),
]
# fmt: on


def test_a_key_of_two_columns_keeps_its_history_across_a_key_change(tmp_path: Path) -> None:
    found = rows(
        golden(tmp_path, "composite_key"),
        "_steno_log_offset, _steno_op, region, seq, body, _steno_related_key",
    )

    assert found == COMPOSITE


def test_a_column_that_was_not_sent_is_unchanged_and_made_up_values_of_deletes_are_not_kept(
    tmp_path: Path,
) -> None:
    found = rows(
        golden(tmp_path, "default_identity"),
        "_steno_log_offset, _steno_op, id, a, b, d, big, _steno_unchanged, _steno_related_key",
    )

    assert found == IDENTITY


@pytest.mark.parametrize("table", ["lead", "composite_key", "default_identity"])
def test_every_record_is_accounted_for_and_tombstones_are_filtered(tmp_path: Path, table: str) -> None:
    found = table_records(table)
    tombstones = sum(record["value"] is None for record in found)

    spans = golden(tmp_path, table).ask(
        "SELECT start, stop, read, stored, duplicate, filtered, quarantined FROM _steno_spans"
    )

    stop = found[-1]["offset"] + 1
    assert spans == [(0, stop, len(found), len(found) - tombstones, 0, tombstones, 0)]


@pytest.mark.parametrize(
    ("table", "snapshot_rows"), [("lead", 1), ("composite_key", 1), ("default_identity", 0)]
)
def test_records_sent_again_by_a_restarted_connector_store_nothing_twice(
    tmp_path: Path, table: str, snapshot_rows: int
) -> None:
    found = table_records(table)
    streamed = [record for record in found if record["offset"] >= snapshot_rows]
    first = logged(found)

    pipeline = stored(tmp_path, plan(table), first, logged(streamed, first_offset=first.stop))

    counts = pipeline.ask("SELECT stored, duplicate, filtered, quarantined FROM _steno_spans ORDER BY start")
    tombstones = sum(record["value"] is None for record in streamed)
    changes = len(streamed) - tombstones
    assert counts == [(changes + snapshot_rows, 0, tombstones, 0), (0, changes, tombstones, 0)]
    assert pipeline.ask(f"SELECT count(*) FROM {table}_history") == [(changes + snapshot_rows,)]


def test_a_table_read_again_by_a_snapshot_is_one_more_observation(tmp_path: Path) -> None:
    found = table_records("lead")
    first = logged(found)

    pipeline = stored(tmp_path, plan("lead"), first, logged(found[:1], first_offset=first.stop))

    assert pipeline.ask("SELECT count(*) FROM lead_history WHERE _steno_op = 'snapshot'") == [(2,)]


def test_the_view_of_now_holds_what_the_source_holds(tmp_path: Path, lead_model: Model) -> None:
    pipeline = golden(tmp_path, "lead", lead_model)

    now = pipeline.ask("SELECT id, status, email FROM lead_current ORDER BY id")

    bulk = [(n, "won" if n < 105 else "new", f"bulk{n}@example.com") for n in range(100, 119)]
    assert now == [(10, "contacted", ADA), *bulk]


def test_the_versions_of_a_lead_end_where_its_key_changes(tmp_path: Path) -> None:
    pipeline = golden(tmp_path, "lead")

    versions = pipeline.ask(
        "SELECT id, status, is_current FROM lead_versions WHERE id IN (1, 2, 10) ORDER BY id, valid_from"
    )

    assert versions == [
        (1, "new", False),
        (1, "contacted", False),
        (2, "new", False),
        (10, "contacted", True),
    ]


def test_a_value_that_was_not_sent_is_filled_from_before_the_key_change(tmp_path: Path) -> None:
    versions = golden(tmp_path, "default_identity").ask(
        "SELECT id, a, big FROM default_identity_versions ORDER BY valid_from, id"
    )

    assert versions == [(1, "x", BIG), (1, "y", BIG), (2, "y", BIG)]


@pytest.mark.parametrize("table", ["scalar_types", "time_types", "nested_types", "full_identity"])
def test_every_type_that_debezium_writes_finds_its_column(tmp_path: Path, table: str) -> None:
    pipeline = golden(tmp_path, table)

    changes = sum(record["value"] is not None for record in table_records(table))
    assert pipeline.ask("SELECT sum(stored), sum(quarantined) FROM _steno_spans") == [(changes, 0)]


def test_an_exact_number_of_29_digits_is_not_rounded(tmp_path: Path) -> None:
    numbers = rows(golden(tmp_path, "scalar_types"), "id, c_num, c_num_ps")

    assert numbers[1:3] == [
        (1, "12345678901234567890.123456789", Decimal("12345678901234567890123456789.123456789")),
        (2, "-0.5", Decimal("-0.000000001")),
    ]
