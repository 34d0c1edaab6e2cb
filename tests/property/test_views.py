"""The views answer as a plain replay of the same changes does, whatever the history."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from stenograph.events import Missing
from stenograph.schemas import Column, ColumnType, Kind, TableShape
from tests.history_tables import EPOCH, Answered, HistoryTable, order
from tests.reference import history_model as model
from tests.reference.history_model import Change, Key

_INT, _TEXT, _JSON = ColumnType(Kind.INT64), ColumnType(Kind.TEXT), ColumnType(Kind.JSON)
PLAIN = TableShape(
    (Column("id", _INT), Column("status", _TEXT), Column("owner_id", _INT), Column("notes", _JSON)), ("id",)
)
AWKWARD = TableShape(
    (
        Column("rowid", _TEXT),
        Column("Order", _INT),
        Column("at", _INT),
        Column('Valid_From"é', _TEXT),
        Column("valid_from", _JSON),
    ),
    ("Order", 'Valid_From"é'),
)
KEYLESS = TableShape(
    (Column("select", _TEXT), Column("change", _INT), Column("it's", _JSON)),
    (),
)
_T = TypeVar("_T")
SOURCES = ("crm", "hub")
PARTITIONS = 3
SENT = (("a", 1, '{"a":1}'), ("b", 1, '{"a":1}'), ("a", None, "[]"), (None, 2, None), (None, None, None))


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens to a source's table; what it means depends on what exists."""

    kind: str
    source: str
    key: int
    other: int
    values: int
    unsent: frozenset[int]
    tick: int
    late: bool
    checked: bool


STEPS = st.builds(
    Step,
    kind=st.sampled_from(
        [
            *["create", "update"] * 3,
            *["delete", "rekey", "truncate", "reread"] * 2,
            *["reread whole", "another key", "rotate"],
        ]
    ),
    source=st.sampled_from([*["crm"] * 4, "hub"]),
    key=st.integers(0, 2),
    other=st.integers(0, 2),
    values=st.integers(0, len(SENT) - 1),
    unsent=st.frozensets(st.integers(0, 2), max_size=2),
    tick=st.sampled_from([0, 0, 0, 1, 1, 2, -1, -3]),
    late=st.booleans(),
    checked=st.sampled_from([True, True, True, True, False]),
)


@dataclass(slots=True)
class Story:
    """Plays steps at imagined sources and writes down both what happened and the rows that the sink would store."""

    shape: TableShape
    changes: list[Change] = field(default_factory=list)
    rows: list[dict[str, object]] = field(default_factory=list)
    existing: dict[str, dict[int, tuple[object, ...]]] = field(
        default_factory=lambda: {source: {} for source in SOURCES}
    )
    clock: int = 100
    commit: int = 10
    generation: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOURCES, 0))
    offsets: dict[tuple[str, int, int], int] = field(default_factory=lambda: defaultdict(int))
    started: set[tuple[str, int]] = field(default_factory=set)
    moved: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOURCES, 0))
    """How many partitions further on the rows are since the table got other primary keys."""

    def play(self, step: Step) -> None:
        self.clock += step.tick
        self.commit += 1 if step.tick else 0
        here = self.existing[step.source]
        present = step.key in here
        match self._possible(step, present):
            case "create":
                self._write(step, "create", step.key, SENT[step.values], frozenset())
            case "update":
                self._write(step, "update", step.key, SENT[step.values], step.unsent)
            case "delete":
                self._store(step, "delete", step.key)
                here.pop(step.key, None)
            case "rekey" if present and step.other != step.key and step.other not in here:
                place = self._place()
                self._store(step, "delete", step.key, related=step.other, place=place)
                del here[step.key]
                place = place[:-8] + f"{int(place[-8:], 16) + 1:08x}"
                sent = SENT[step.values]
                self._write(step, "create", step.other, sent, step.unsent, related=step.key, place=place)
            case "truncate":
                self._store(step, "truncate", None)
                here.clear()
            case "reread":
                place = self._place()
                for key, values in sorted(here.items()):
                    self._write(step, "snapshot", key, values, frozenset(), place=place)
            case "reread whole":
                self._read_again(step)
            case "another key":
                self.moved[step.source] += 1 + step.other % 2
                self._read_again(step)
            case "rotate":
                self.generation[step.source] += 1
            case _:
                pass

    def _possible(self, step: Step, present: bool) -> str:
        if not step.checked or step.kind not in {"create", "update", "delete", "rekey"}:
            return step.kind
        if not present:
            return "create"
        return "update" if step.kind == "create" else step.kind

    def _read_again(self, step: Step) -> None:
        self.commit += 1
        stands = dict(self.existing[step.source])
        if not step.checked:
            stands.pop(step.key, None)
            stands[step.other] = SENT[step.values]
        self._store(step, "truncate", None, place=order(self.commit))
        self.existing[step.source].clear()
        self.clock += 2 if step.late else 0
        for number, (key, values) in enumerate(sorted(stands.items()), 1):
            self._write(step, "snapshot", key, values, frozenset(), place=order(self.commit, ordinal=number))
        self.commit += 1

    def _place(self) -> str:
        return order(self.commit, len(self.rows) + 1)

    def _write(
        self,
        step: Step,
        op: str,
        key: int,
        values: tuple[object, ...],
        unsent: frozenset[int],
        related: int | None = None,
        place: str | None = None,
    ) -> None:
        before = self.existing[step.source].get(key, (None, None, None))
        sent = tuple(Missing.UNCHANGED if index in unsent else value for index, value in enumerate(values))
        self._store(step, op, key, sent, related, place)
        self.existing[step.source][key] = tuple(
            before[index] if index in unsent else value for index, value in enumerate(values)
        )

    def _key(self, number: int | None) -> Key | None:
        if number is None:
            return None
        return (number, f"k'{number}")[: len(self.shape.key)]

    def _store(
        self,
        step: Step,
        op: str,
        number: int | None,
        values: tuple[object, ...] = (None, None, None),
        related: int | None = None,
        place: str | None = None,
    ) -> None:
        place = place or self._place()
        at = EPOCH + timedelta(seconds=self.clock)
        log = (step.source, self.generation[step.source])
        recorded = EPOCH + timedelta(days=1, seconds=len(self.rows))
        if step.late and log in self.started:
            recorded += timedelta(days=1)
        self.started.add(log)
        partition = ((number or 0) + self.moved[step.source]) % PARTITIONS
        offset = self.offsets[*log, partition]
        self.offsets[*log, partition] += 1 + (number or 0)
        changed_after = EPOCH if op == "snapshot" else None
        key, other = self._key(number), self._key(related)
        self.changes.append(Change(step.source, op, place, at, recorded, key, values, other, changed_after))
        others = [column.name for column in self.shape.columns if column.name not in self.shape.key]
        unsent = [name for name, value in zip(others, values, strict=True) if value is Missing.UNCHANGED]
        self.rows.append(
            {
                **dict(zip(self.shape.key, key or (None,) * len(self.shape.key), strict=True)),
                **{
                    name: None if value is Missing.UNCHANGED else value
                    for name, value in zip(others, values, strict=True)
                },
                "_steno_op": op,
                "_steno_source": step.source,
                "_steno_committed_at": at,
                "_steno_changed_at": at,
                "_steno_changed_after": changed_after,
                "_steno_order": place,
                "_steno_related_key": None
                if other is None
                else json.dumps(dict(zip(self.shape.key, other, strict=True))),
                "_steno_topic": f"{step.source}.public.lead",
                "_steno_log_generation": f"g{99 - self.generation[step.source]}",
                "_steno_log_partition": partition,
                "_steno_log_offset": offset,
                "_steno_unchanged": unsent or None,
                "_steno_recorded_at": recorded,
            }
        )

    def instants(self) -> list[datetime]:
        """Every instant at which something happens, with one between and one on either side."""
        half = timedelta(seconds=0.5)
        said = {change.at for change in self.changes}
        return sorted(said | {at - half for at in said} | {at + half for at in said})


def _rows(answered: Answered, *names: str) -> list[str]:
    return sorted(repr(tuple(row[name] for name in names)) for row in answered)


def _expected(rows: Iterable[tuple[object, ...]]) -> list[str]:
    return sorted(repr(row) for row in rows)


def _flat(shape: TableShape, key: Key, values: tuple[object, ...]) -> tuple[object, ...]:
    others = iter(values)
    keys: Mapping[str, object] = dict(zip(shape.key, key, strict=True))
    return tuple(keys[column.name] if column.name in keys else next(others) for column in shape.columns)


@pytest.fixture(scope="module", params=[PLAIN, AWKWARD], ids=["plain names", "awkward names"])
def keyed(request: pytest.FixtureRequest) -> HistoryTable:
    shape: TableShape = request.param
    return HistoryTable(shape)


@pytest.fixture(scope="module")
def unkeyed() -> HistoryTable:
    return HistoryTable(KEYLESS)


MANY = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _few(of: Sequence[_T], seed: int, count: int) -> Sequence[_T]:
    """About `count` of them, spread evenly; which ones depends on the seed."""
    step = max(1, len(of) // count)
    return of[seed % step :: step]


def _played(shape: TableShape, steps: list[Step]) -> Story:
    story = Story(shape)
    for step in steps:
        story.play(step)
    return story


def _stored(table: HistoryTable, story: Story, seed: int) -> None:
    rows = list(story.rows)
    turn = seed % (len(rows) + 1)
    table.fill(rows[turn:] + rows[:turn][::-1])


@MANY
@given(steps=st.lists(STEPS, min_size=10, max_size=25), seed=st.integers(0, 50))
def test_every_view_answers_as_the_replay_does(keyed: HistoryTable, steps: list[Step], seed: int) -> None:
    shape = keyed.shape
    story = _played(shape, steps)
    _stored(keyed, story, seed)
    columns = [column.name for column in shape.columns]
    names = [
        f"_steno_{name}" if name in columns else name
        for name in (
            "valid_from",
            "valid_to",
            "is_current",
            "change",
            "ended_by",
            "known_from",
            "changed_after",
        )
    ]

    assert _rows(keyed.versions(), "_steno_source", *columns, *names) == _expected(
        (
            one.source,
            *_flat(shape, one.key, one.values),
            one.valid_from,
            one.valid_to,
            one.valid_to is None,
            one.change,
            one.ended_by,
            one.known_from,
            one.changed_after,
        )
        for one in model.versions(story.changes)
    )
    assert _rows(keyed.current(), "_steno_source", *columns) == _expected(
        (source, *_flat(shape, key, values)) for source, key, values in model.current(story.changes)
    )
    for at in _few(story.instants(), seed, 6):
        assert _rows(keyed.as_of(at), "_steno_source", *columns) == _expected(
            (source, *_flat(shape, key, values)) for source, key, values in model.as_of(story.changes, at)
        ), at
    for below in _few(sorted({change.order for change in story.changes}), seed, 3):
        for source in SOURCES:
            assert _rows(keyed.newest(source, below), *columns) == _expected(
                _flat(shape, key, values)
                for of, key, values in model.newest(story.changes, below)
                if of == source
            ), (source, below)


@MANY
@given(steps=st.lists(STEPS.filter(lambda step: step.kind != "rekey"), max_size=25), seed=st.integers(0, 50))
def test_a_table_without_a_key_is_what_came_and_was_not_taken_away(
    unkeyed: HistoryTable, steps: list[Step], seed: int
) -> None:
    story = Story(KEYLESS)
    for step in steps:
        sent = SENT[step.values]
        story.clock += step.tick
        story.commit += 1
        if step.kind == "truncate":
            story._store(step, "truncate", None)
        elif step.kind != "rotate":
            op = {"update": "update", "delete": "delete", "reread": "snapshot"}.get(step.kind, "create")
            story._store(step, op, 0, sent)
    _stored(unkeyed, story, seed)
    columns = [column.name for column in KEYLESS.columns]
    assert _rows(unkeyed.current(), "_steno_source", *columns) == _expected(
        (source, *values) for source, values in model.keyless(story.changes)
    )
    for below in _few(sorted({change.order for change in story.changes}), seed, 3):
        before = [change for change in story.changes if change.order < below]
        for source in SOURCES:
            assert _rows(unkeyed.newest(source, below), *columns) == _expected(
                values for of, values in model.keyless(before) if of == source
            ), (source, below)
