"""Whatever fails, and whenever: each committed change is in history once, in its source's order.

Capture and sink run in one process on a real log and a real DuckDB file; a crash drops every object and opens all
anew. Ground truth is the script of the source, not what was read of it.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenograph.capture import Capture
from stenograph.errors import (
    Action,
    LogUnavailable,
    RegistryUnavailable,
    SourceUnavailable,
    StenographError,
    WarehouseUnavailable,
)
from stenograph.events import ChangeEvent, KeyChange, Op
from stenograph.history import FlushLimits
from stenograph.offsets import Assignment, LaneMark, Mark, Partition, Position, order_of
from stenograph.ports import EncodedBatch, ReadProgress, Source, Warehouse
from stenograph.sink import Readers, Sink
from tests.change_samples import CONTACT, GAPS, LEAD, LOG, SOURCE, change, lead, plan_of
from tests.faults import Fault, Faulty, When
from tests.scripted_source import Script
from tests.small_pipeline import NO_WAIT, SmallPipeline

TABLES = (LEAD, CONTACT, LOG)
PORTS: Mapping[str, tuple[type[StenographError], tuple[str, ...]]] = {
    "source": (SourceUnavailable, ("poll", "acknowledge")),
    "writer": (LogUnavailable, ("append", "position")),
    "reader": (LogUnavailable, ("assigned", "seek", "poll", "report")),
    "registry": (RegistryUnavailable, ("fetch",)),
    "warehouse": (WarehouseUnavailable, ("claim", "shape", "evolve", "append")),
}
Row = tuple[str, int | None, str | None, str]
"""Operation, key, status or line, order."""


class Crash(Exception):
    """The process is gone: nothing that it held in memory is known any more."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A fault to come: at the `nth` call of the port's method, on that side, fail or crash."""

    port: str
    method: str
    nth: int
    when: When
    is_crash: bool

    def fault(self) -> Fault:
        error = Crash() if self.is_crash else PORTS[self.port][0]("A fault of this test.", hint="None.")

        def act() -> None:
            raise error

        return Fault(self.method, self.nth, self.when, act)


PLANS = st.sampled_from(
    [(port, method) for port, (_, methods) in PORTS.items() for method in methods]
).flatmap(
    lambda place: st.builds(
        Plan,
        st.just(place[0]),
        st.just(place[1]),
        st.integers(1, 12),
        st.sampled_from(When),
        st.booleans(),
    )
)


def script_of(random_: random.Random) -> list[list[ChangeEvent]]:
    """Some transactions of a few changes on tables with and without a key, key changes and truncates among them."""
    transactions: list[list[ChangeEvent]] = []
    alive: dict[str, set[int]] = {"lead": set(), "contact": set()}
    for commit in range(1, random_.randint(4, 14)):
        changes: list[ChangeEvent] = []
        for _ in range(random_.choice((0, 1, 1, 2, 5))):
            changes += _changes(random_, commit, len(changes) + 1, alive)
        transactions.append(changes)
    return transactions


def _changes(
    random_: random.Random, commit: int, place: int, alive: dict[str, set[int]]
) -> list[ChangeEvent]:
    table = random_.choice(TABLES)
    if table is LOG:
        return [change(Op.CREATE, {"line": f"{commit}.{place}"}, commit, table=LOG, place=place)]
    living, number = alive[table.table.name], random_.randint(1, 6)
    status = f"s{commit}.{place}"
    if number not in living:
        living.add(number)
        return [change(Op.CREATE, lead(number, status), commit, table=table, place=place)]
    match random_.randint(0, 9):
        case 0:
            living.clear()
            return [change(Op.TRUNCATE, None, commit, table=table, place=place)]
        case 1 | 2:
            living.remove(number)
            return [change(Op.DELETE, {"id": number}, commit, table=table, place=place)]
        case 3:
            living.remove(number)
            new = 10 + commit * 10 + place
            living.add(new)
            return [
                change(
                    Op.DELETE, {"id": number}, commit, table=table, place=place,
                    key_change=KeyChange.LEFT, related_key={"id": new},
                ),
                change(
                    Op.CREATE, lead(new, status), commit, table=table, place=place + 1,
                    key_change=KeyChange.ARRIVED, related_key={"id": number},
                ),
            ]  # fmt: skip
        case _:
            return [change(Op.UPDATE, lead(number, status), commit, table=table, place=place)]


def expected(script: Sequence[Sequence[ChangeEvent]]) -> dict[str, list[Row]]:
    """What history must hold of each table, in the source's order."""
    rows: dict[str, list[Row]] = {table.table.name: [] for table in TABLES}
    for commit, changes in enumerate(script, start=1):
        for ordinal, event in enumerate(changes):
            key = None if event.key is None else event.key["id"]
            after = event.after or {}
            text = after.get("status", after.get("line"))
            order = order_of(1, commit, commit, ordinal).hex()
            assert key is None or isinstance(key, int)
            rows[event.origin.table.name].append(
                (event.op.value, key, None if text is None else str(text), order)
            )
    return rows


class ForgetsTooEarly:
    """A source of a capturer that breaks Invariant 1: acknowledged as soon as it was read."""

    def __init__(self, inner: Source) -> None:
        self._inner = inner

    def poll(self, limit: int, wait: timedelta) -> EncodedBatch:
        batch = self._inner.poll(limit, wait)
        if batch.upto is not None:
            self._inner.acknowledge(batch.upto)
        return batch

    def acknowledge(self, upto: Position) -> None:
        self._inner.acknowledge(upto)

    def keep_alive(self) -> None:
        self._inner.keep_alive()

    def reading(self) -> ReadProgress | None:
        return self._inner.reading()

    def close(self) -> None:
        self._inner.close()


class ForgetsLanes:
    """A warehouse of a sink that breaks Invariant 3: a claim tells no lane's high-water mark."""

    def __init__(self, inner: Warehouse) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def claim(self, owner: str, partitions: Mapping[Partition, Assignment]) -> Mapping[Partition, Mark]:
        no_lanes: Mapping[str, LaneMark] = {}
        claimed = self._inner.claim(owner, partitions)
        return {partition: replace(mark, lanes=no_lanes) for partition, mark in claimed.items()}


def as_it_is(port: Any) -> Any:
    return port


@dataclass
class World:
    """One folder, one script, and the objects of the process that lives now."""

    folder: Path
    random_: random.Random
    plans: Sequence[Plan]
    around_source: Callable[[Source], Source] = as_it_is
    around_warehouse: Callable[[Warehouse], Warehouse] = as_it_is
    crashes: int = 0
    open_ports: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pipeline = SmallPipeline(self.folder, [plan_of(table) for table in TABLES], partitions=3)
        self.script = Script(self.pipeline.registry(), TABLES, [])
        self.transactions = script_of(self.random_)
        self.faults: dict[str, Faulty[Any]] = {
            port: Faulty(None, [plan.fault() for plan in self.plans if plan.port == port]) for port in PORTS
        }

    def run(self) -> None:
        """Interleave source, capture and sink at random, with the faults; then drain."""
        self.start()
        waiting = list(self.transactions)
        for _ in range(self.random_.randint(20, 40)):
            match self.random_.randint(0, 4):
                case 0 if waiting:
                    self.script.transactions.append(waiting.pop(0))
                case 1 | 2:
                    self.step(self.capture)
                case _:
                    self.step(self.sink)
        self.script.transactions.extend(waiting)
        # Each fault comes once, so a few rounds more than there are faults bring everything to its end.
        idle = 0
        for _ in range(200 + 20 * len(self.plans)):
            moved = self.step(self.capture) + self.step(self.sink)
            idle = 0 if moved else idle + 1
            if idle > 2 * len(self.plans) + 2:
                break
        self.drop()

    def start(self) -> None:
        registry = self.faults["registry"].around(self.pipeline.registry())
        writer = self.pipeline.writer()
        warehouse = self.pipeline.warehouse()
        self.open_ports = [writer, warehouse]
        self.capture = Capture(
            SOURCE,
            lambda stored: self.faults["source"].around(self.around_source(self.script.open(stored))),
            self.faults["writer"].around(writer),
            limit=self.random_.choice((1, 2, 3, 100)),
        )
        self.sink = Sink(
            "test",
            self.pipeline.plans,
            GAPS,
            self.open_reader,
            self.faults["warehouse"].around(self.around_warehouse(warehouse)),
            Readers(registry),
            FlushLimits(rows=self.random_.choice((1, 3, 100)), bytes=1 << 24, seconds=0),
        )

    def open_reader(self) -> Any:
        reader = self.pipeline.reader()
        self.open_ports.append(reader)
        return self.faults["reader"].around(reader)

    def drop(self) -> None:
        for port in self.open_ports:
            with suppress(StenographError):
                port.close()

    def step(self, loop: Capture | Sink) -> int:
        try:
            return loop.step(NO_WAIT)
        except Crash:
            self.crashes += 1
            self.drop()
            self.start()
        except StenographError as error:
            if error.action is not Action.RETRY:
                raise
            loop.reset(error)
        return 1

    def differences(self) -> list[str]:
        """What is wrong with the history; empty if nothing is."""
        wrong = []
        for name, wanted in expected(self.transactions).items():
            key, text = ("NULL::BIGINT", "line") if name == "log" else ("id", "status")
            found = []
            if self.pipeline.history.exists() and self.has_table(f"{name}_history"):
                found = self.pipeline.ask(
                    f"SELECT _steno_op, {key}, {text}, _steno_order FROM {name}_history"
                    " ORDER BY _steno_order, _steno_log_offset"
                )
            if found != wanted:
                wrong.append(f"{name}: wanted {wanted}, found {found}")
            elif found:
                wrong += self.disorder(name, key)
        wrong += self.untiled()
        return wrong

    def has_table(self, name: str) -> bool:
        return bool(self.pipeline.ask(f"SELECT 1 FROM duckdb_tables() WHERE table_name = '{name}'"))

    def disorder(self, name: str, key: str) -> list[str]:
        rows = self.pipeline.ask(
            f"SELECT {key}, _steno_log_partition, _steno_order FROM {name}_history"
            " ORDER BY _steno_log_partition, _steno_log_offset"
        )
        partitions: dict[object, set[int]] = {}
        orders: dict[object, list[str]] = {}
        for of_key, partition, order in rows:
            partitions.setdefault(of_key, set()).add(partition)
            orders.setdefault(of_key, []).append(order)
        wrong = [f"{name} {k}: in partitions {p}" for k, p in partitions.items() if len(p) > 1]
        return wrong + [f"{name} {k}: out of order" for k, o in orders.items() if o != sorted(o)]

    def untiled(self) -> list[str]:
        if not self.pipeline.history.exists():
            return []
        spans = self.pipeline.ask(
            "SELECT topic, log_partition, start, stop, read, stored + duplicate + filtered + quarantined"
            " FROM _steno_spans ORDER BY ALL"
        )
        ends: dict[tuple[str, int], int] = {}
        wrong = []
        for topic, partition, start, stop, read, counted in spans:
            if start != ends.get((topic, partition), 0) or read != counted or read != stop - start:
                wrong.append(f"span {topic}/{partition} from {start} to {stop}")
            ends[topic, partition] = stop
        return wrong


def differences(
    seed: int,
    plans: Sequence[Plan],
    *,
    around_source: Callable[[Source], Source] = as_it_is,
    around_warehouse: Callable[[Warehouse], Warehouse] = as_it_is,
) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), random.Random(seed), plans, around_source, around_warehouse)
        world.run()
        return world.differences()


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32), plans=st.lists(PLANS, max_size=6))
def test_every_change_is_in_history_once_and_in_order(seed: int, plans: list[Plan]) -> None:
    assert not differences(seed, plans)


def crashes_at(port: str, method: str, when: When, first: int = 1) -> list[Plan]:
    return [Plan(port, method, nth, when, is_crash=True) for nth in range(first, first + 4)]


@pytest.mark.parametrize(
    ("port", "method"), [(port, m) for port, (_, methods) in PORTS.items() for m in methods]
)
def test_a_crash_on_either_side_of_any_port_call_changes_nothing(
    port: str, method: str, tmp_path: Path
) -> None:
    plans = [*crashes_at(port, method, When.BEFORE, 1), *crashes_at(port, method, When.AFTER, 2)]
    world = World(tmp_path, random.Random(7), plans)

    world.run()

    assert world.crashes
    assert not world.differences()


def is_caught(plans: Sequence[Plan], **variant: Any) -> bool:
    return any(differences(seed, plans, **variant) for seed in range(12))


def test_acknowledging_before_the_append_is_caught() -> None:
    assert is_caught(crashes_at("writer", "append", When.BEFORE), around_source=ForgetsTooEarly)


def test_a_sink_that_forgets_the_lanes_is_caught() -> None:
    plans = [
        *crashes_at("writer", "append", When.AFTER, 2),
        *crashes_at("warehouse", "append", When.AFTER),
    ]
    assert is_caught(plans, around_warehouse=ForgetsLanes)
