"""The sink on a real log and a real DuckDB file: what one process alone can get wrong."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from stenograph.envelope.table import WireColumn
from stenograph.errors import Action, LaneRegressed, LedgerMoved, SchemaConflict, StenographError
from stenograph.events import Op
from stenograph.history import span_digest
from stenograph.offsets import Position, order_of
from stenograph.pipeline.models import load_model
from stenograph.ports import EncodedBatch
from stenograph.resources import bundled
from stenograph.schemas import TablePlan
from stenograph.sink import Sink
from stenograph.supervisor import Stop, supervise
from stenograph.warehouses.duckdb.reader import DuckDBHistoryReader
from tests.change_samples import CONTACT, EPOCH, LANE, LEAD, LOG, SOURCE, change, lead, plan_of
from tests.faults import Faulty, all_reached, lose_answer
from tests.scripted_source import Committed, Script
from tests.small_pipeline import NO_WAIT, SmallPipeline


@pytest.fixture
def pipeline(tmp_path: Path) -> SmallPipeline:
    return SmallPipeline(tmp_path, [plan_of(LEAD), plan_of(CONTACT)])


def play(pipeline: SmallPipeline, *transactions: Committed, first: int = 1, run: int = 1) -> None:
    """Append these transactions, the first of which has the commit place `first`."""
    script = Script(pipeline.registry(), [LEAD, CONTACT], [*([[]] * (first - 1)), *transactions], run=run)
    stored = Position(order_of(run, first - 1, 0, 0), str(first - 1).encode())
    # Without its position, which the log would refuse of a source that went back.
    pipeline.append(replace(script.open(stored).poll(10_000, NO_WAIT), upto=None))


def until_idle(sink: Sink) -> None:
    while sink.step(NO_WAIT):
        pass


def test_a_truncate_and_the_inserts_after_it_are_one_transaction_over_all_partitions(
    pipeline: SmallPipeline,
) -> None:
    old = [change(Op.CREATE, lead(n), 1, place=n) for n in range(1, 31)]
    fresh = [change(Op.CREATE, lead(n, "fresh"), 2, place=n) for n in range(21, 41)]
    play(pipeline, old, [change(Op.TRUNCATE, None, 2), *fresh])

    pipeline.store_all()

    assert pipeline.ask("SELECT count(DISTINCT _steno_log_partition) FROM lead_history") == [(4,)]
    assert pipeline.ask("SELECT _steno_op, count(*) FROM lead_history GROUP BY 1 ORDER BY 1") == [
        ("create", 50),
        ("truncate", 1),
    ]
    assert pipeline.ask("SELECT id, status FROM lead_current ORDER BY id") == [
        (n, "fresh") for n in range(21, 41)
    ]
    ended = pipeline.ask("SELECT count(*) FROM lead_versions WHERE NOT is_current AND status = 'new'")
    assert ended == [(30,)]


def test_the_digest_of_a_span_is_that_of_the_rows_read_back(pipeline: SmallPipeline) -> None:
    rows = [change(Op.CREATE, lead(n), 1, place=n) for n in range(1, 31)]
    play(pipeline, rows, [change(Op.TRUNCATE, None, 2)], [change(Op.DELETE, {"id": 7}, 3)])

    pipeline.store_all()

    history = DuckDBHistoryReader(pipeline.history)
    for stored in history.spans():
        span = stored.span
        found = history.rows(stored.table, span.partition, span.generation, span.start, span.stop)
        assert span.digest == span_digest(found, ["id"])


def test_a_truncate_of_a_table_with_a_model_is_stored(tmp_path: Path) -> None:
    model = load_model(bundled("schemas"), "lead")
    modelled = TablePlan(SOURCE, LEAD.table, LEAD.topic, "lead_history", model)
    pipeline = SmallPipeline(tmp_path, [modelled])
    play(pipeline, [change(Op.TRUNCATE, None, 1), change(Op.CREATE, lead(1), 1, place=2)])

    pipeline.store_all()

    assert pipeline.ask("SELECT _steno_op, id FROM lead_history ORDER BY _steno_order") == [
        ("truncate", None),
        ("create", 1),
    ]


def test_a_source_that_went_back_stops_its_table_and_no_other(pipeline: SmallPipeline) -> None:
    play(pipeline, *([change(Op.CREATE, lead(n), n)] for n in range(1, 21)))
    pipeline.store_all()
    later = EPOCH + 3_600_000_000
    restored = [
        change(Op.UPDATE, lead(n, "after the restore"), 5, committed_at=later, place=n) for n in range(1, 11)
    ]
    others = [
        change(Op.CREATE, lead(n), 5, table=CONTACT, committed_at=later, place=10 + n) for n in range(1, 6)
    ]
    play(pipeline, [*restored, *others], first=5)
    stop, seen = Stop(), Seen()
    seen.stop_when_idle = stop

    with closing(pipeline.sink()) as sink:
        supervise(sink, stop, seen)

    assert [type(error) for error in seen.paused_by] == [LaneRegressed]
    assert seen.paused_by[0].facts["topic"] == LEAD.topic
    assert pipeline.ask("SELECT count(*), max(status) FROM lead_history") == [(20, "new")]
    assert pipeline.ask("SELECT count(*) FROM contact_history") == [(5,)]


def test_a_capturer_that_sends_again_with_a_clock_set_back_is_not_taken_for_a_restore(
    pipeline: SmallPipeline,
) -> None:
    play(
        pipeline, [change(Op.CREATE, lead(1), 1)], [change(Op.UPDATE, lead(1, "won"), 2, committed_at=EPOCH)]
    )
    play(
        pipeline, [change(Op.CREATE, lead(1), 1)], [change(Op.UPDATE, lead(1, "won"), 2, committed_at=EPOCH)]
    )

    pipeline.store_all()

    assert pipeline.ask("SELECT status FROM lead_history ORDER BY _steno_order") == [("new",), ("won",)]
    assert pipeline.ask("SELECT sum(stored), sum(duplicate) FROM _steno_spans") == [(2, 2)]


def test_of_two_sinks_on_one_ledger_the_fenced_one_stores_nothing(pipeline: SmallPipeline) -> None:
    """Kills Invariant 6."""
    play(pipeline, *([change(Op.CREATE, lead(n), n)] for n in range(1, 11)))
    with (
        closing(pipeline.sink(owner="first", limit=3)) as first,
        closing(pipeline.sink(owner="second")) as second,
    ):
        first.step(NO_WAIT)
        second.step(NO_WAIT)

        with pytest.raises(LedgerMoved):
            until_idle(first)

        until_idle(second)
    assert pipeline.ask("SELECT id FROM lead_history ORDER BY id") == [(n,) for n in range(1, 11)]
    assert pipeline.ask("SELECT sum(stored) FROM _steno_spans") == [(10,)]


def test_an_append_whose_answer_was_lost_is_not_stored_again(pipeline: SmallPipeline) -> None:
    """Kills Invariant 5."""
    play(pipeline, *([change(Op.CREATE, lead(n), n)] for n in range(1, 11)))
    lost = WarehouseLost()
    warehouse = Faulty(pipeline.warehouse(), [lose_answer("append", lost)])

    with all_reached(warehouse), closing(pipeline.sink(warehouse=warehouse.port)) as sink:
        with pytest.raises(WarehouseLost):
            sink.step(NO_WAIT)
        sink.reset(lost)
        until_idle(sink)

    assert pipeline.ask("SELECT count(*) FROM lead_history") == [(10,)]
    assert pipeline.ask("SELECT sum(read), sum(duplicate) FROM _steno_spans") == [(10, 0)]


def test_a_column_retyped_at_the_source_stops_its_table_and_loses_nothing(pipeline: SmallPipeline) -> None:
    play(pipeline, [change(Op.CREATE, lead(1), 1)])
    pipeline.store_all()
    id_, status, *others = LEAD.columns
    wider = replace(LEAD, columns=(id_, replace(status, avro="int", nullable=True, default=None), *others))
    script = Script(
        pipeline.registry(), [wider], [[], [change(Op.CREATE, lead(2) | {"status": 7}, 2, table=wider)]]
    )
    pipeline.append(script.open(Position(b"", b"1")).poll(10, NO_WAIT))

    with closing(pipeline.sink()) as sink, pytest.raises(SchemaConflict) as refusal:
        until_idle(sink)

    assert refusal.value.action is Action.PAUSE
    assert pipeline.ask("SELECT id FROM lead_history") == [(1,)]
    assert pipeline.ask("SELECT max(stop) FROM _steno_spans") == [(1,)]


def test_each_record_is_read_with_the_schema_it_was_written_with(pipeline: SmallPipeline) -> None:
    """Kills Invariant 12."""
    wider = replace(LEAD, columns=(*LEAD.columns, WireColumn("city", "string", nullable=True)))
    old = Script(
        pipeline.registry(), [LEAD], [[change(Op.CREATE, lead(1), 1)], [], [change(Op.CREATE, lead(3), 3)]]
    )
    new = Script(
        pipeline.registry(), [wider], [[], [change(Op.CREATE, lead(2) | {"city": "Bern"}, 2, table=wider)]]
    )
    reading = old.open(None)
    for batch in (reading.poll(1, NO_WAIT), new.open(None).poll(1, NO_WAIT), reading.poll(2, NO_WAIT)):
        pipeline.append(replace(batch, upto=None))

    pipeline.store_all()

    assert pipeline.ask("SELECT id, status, city FROM lead_history ORDER BY id") == [
        (1, "new", None),
        (2, "new", "Bern"),
        (3, "new", None),
    ]
    assert pipeline.ask("SELECT count(DISTINCT _steno_schema) FROM lead_history") == [(2,)]


def test_a_table_without_a_key_keeps_all_its_rows_in_one_partition(tmp_path: Path) -> None:
    pipeline = SmallPipeline(tmp_path, [plan_of(LOG)])
    lines = [change(Op.CREATE, {"line": "same"}, 1, table=LOG, place=n) for n in range(1, 6)]
    script = Script(pipeline.registry(), [LOG], [lines])
    pipeline.append(script.open(None).poll(10, NO_WAIT), script.open(None).poll(10, NO_WAIT))

    pipeline.store_all()

    assert pipeline.ask(
        "SELECT count(*), min(_steno_log_partition), max(_steno_log_partition) FROM log_history"
    ) == [(5, 0, 0)]


def test_records_that_nobody_can_read_are_set_aside_and_the_others_stored(pipeline: SmallPipeline) -> None:
    """Kills Invariant 9."""
    play(pipeline, [change(Op.CREATE, lead(n), 1, place=n) for n in range(1, 4)])
    good = Script(pipeline.registry(), [LEAD], [[change(Op.CREATE, lead(4), 2)]]).open(None).poll(10, NO_WAIT)
    (value,), (key,) = good.values, good.keys
    assert value is not None
    damaged = [
        b"\1" + value[1:],
        b"\0\0\0\3\xe7" + value[5:],
        value[:-3],
        value + b"\0",
        b"",
        b"\0\0",
        value[:5],
    ]
    pipeline.append(
        EncodedBatch(
            source=SOURCE,
            lane=LANE,
            topics=[LEAD.topic] * 7,
            keys=[key] * 7,
            values=damaged,
            timestamps=[0] * 7,
            orders=[order_of(1, 2, 2, n) for n in range(7)],
            headers=[()] * 7,
        )
    )

    pipeline.store_all()

    assert pipeline.ask("SELECT count(*) FROM lead_history") == [(3,)]
    assert pipeline.ask("SELECT sum(read), sum(stored), sum(quarantined) FROM _steno_spans") == [(10, 3, 7)]
    kept = pipeline.ask("SELECT error, value FROM _steno_quarantine ORDER BY log_offset")
    assert kept == [("RecordUnreadable", bytes(each)) for each in damaged]


class WarehouseLost(StenographError):
    """The answer of this test's warehouse is lost."""

    action = Action.RETRY

    def __init__(self) -> None:
        super().__init__("The answer was lost.", hint="None.")


class Seen:
    """An observer that ends the loop when there is nothing to do."""

    def __init__(self) -> None:
        self.paused_by: list[StenographError] = []
        self.stop_when_idle: Stop | None = None

    def moved(self, records: int) -> None:
        if not records and self.stop_when_idle is not None:
            self.stop_when_idle.request()

    def retrying(self, error: StenographError, attempt: int, pause: object) -> None:
        raise AssertionError(error)

    def paused(self, error: StenographError) -> None:
        self.paused_by.append(error)
