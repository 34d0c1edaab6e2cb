"""A table whose shape changes while it is captured: its schemas and rows in a real log, stored by a real sink.

Knows no database: what Postgres makes of DDL is tests/integration/test_evolution.py's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from stenograph.envelope.table import WireColumn, WireTable
from stenograph.events import Op, TableId
from stenograph.logs.embedded.audit import EmbeddedLogAudit
from stenograph.planning import Forecast, forecasts
from stenograph.schemas import AvroType, TablePlan, recorded_shapes
from stenograph.sink import Readers
from stenograph.verify.replay import Replay
from stenograph.verify.report import Report
from stenograph.warehouses.duckdb.console import DuckDBConsole
from stenograph.warehouses.duckdb.plan import DuckDBPlan
from stenograph.warehouses.duckdb.reader import DuckDBHistoryReader
from tests.change_samples import SOURCE, change
from tests.scripted_source import Script
from tests.small_pipeline import NO_WAIT, SmallPipeline

TABLE = TableId("public", "thing")
ID = WireColumn("id", "long", nullable=False)
MICROS: AvroType = {"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}
MILLIS: AvroType = {"type": "long", "connect.name": "io.debezium.time.Timestamp"}
DATE: AvroType = {"type": "int", "connect.name": "io.debezium.time.Date"}


def decimal(precision: int, scale: int) -> AvroType:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def wire(columns: Mapping[str, AvroType], key: tuple[str, ...] = ("id",)) -> WireTable:
    """The table with these columns beside its id."""
    made = (WireColumn(name, avro, nullable=name not in key) for name, avro in columns.items())
    return WireTable(SOURCE, TABLE, (ID, *made), key)


@dataclass(slots=True)
class Evolving:
    """One table, its plan and its pipeline."""

    folder: Path
    plan: TablePlan = field(
        default_factory=lambda: TablePlan(SOURCE, TABLE, TABLE.topic(SOURCE), "thing_history")
    )
    commits: int = 0

    @property
    def pipeline(self) -> SmallPipeline:
        # A replay has something to read: the log forgets nothing.
        return SmallPipeline(self.folder, [self.plan], retain_days=100_000)

    def send(
        self,
        columns: Mapping[str, AvroType],
        *rows: Mapping[str, object],
        op: Op = Op.CREATE,
        key: tuple[str, ...] = ("id",),
    ) -> None:
        """Put a transaction with these rows into the log, written with a schema of these columns."""
        table = wire(columns, key)
        self.commits += 1
        events = [change(op, row, self.commits, table=table, place=n) for n, row in enumerate(rows, start=1)]
        script = Script(self.pipeline.registry(), [table], [*([[]] * (self.commits - 1)), events])
        batch = script.open(None).poll(10_000, NO_WAIT)
        self.pipeline.append(replace(batch, upto=None))

    def store(self) -> None:
        """Let a new sink store what is in the log; raise what would pause it."""
        self.pipeline.store_all()

    def forecast(self) -> Forecast:
        """What `steno plan` says of the table."""
        (found,) = forecasts([self.plan], self.pipeline.registry(), DuckDBPlan(self.pipeline.history))
        return found

    def apply(self) -> Forecast:
        """What `steno apply` does."""
        found = self.forecast()
        if found.change is not None:
            with closing(self.pipeline.warehouse()) as warehouse:
                warehouse.evolve(found.change)
        return found

    def stored(self, *columns: str) -> list[tuple[object, ...]]:
        """These columns of history, in the order of commits."""
        return self.pipeline.ask(f"SELECT {', '.join(columns)} FROM thing_history ORDER BY _steno_order")

    def replayed(self) -> Report:
        """What `steno verify` finds when it reads the log again."""
        pipeline, report = self.pipeline, Report()
        console, history = DuckDBConsole(pipeline.history), DuckDBHistoryReader(pipeline.history)
        texts = console.query("SELECT shape::VARCHAR AS s FROM _steno_schemas ORDER BY applied_at").rows
        recorded = {self.plan.history: recorded_shapes(map(str, texts.column("s").to_pylist()))}
        with closing(EmbeddedLogAudit(self.folder / "log.db")) as log:
            replay = Replay(
                {self.plan.topic: self.plan},
                console.shapes(),
                log,
                history,
                Readers(pipeline.registry()),
                history.incidents()[0],
                recorded,
                report,
            )
            replay.check(history.spans())
        return report


def differences(report: Report) -> Sequence[str]:
    """What a replay found, as text."""
    return [str(each) for each in (*report.differences, *report.unchecked)]
