"""Whatever a table's shape becomes and whatever its policy says, every value that was sent is found again.

A table that pauses keeps what it has; its records wait in the log, so the values of those are not looked for.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stenograph.envelope.casts import lossless
from stenograph.envelope.headers import Unheld
from stenograph.errors import SchemaConflict
from stenograph.events import Missing
from stenograph.history import arrow_type
from stenograph.schemas import AvroType, ColumnType, Evolution, Kind
from tests.evolving import DATE, Evolving, decimal, differences

pytestmark = pytest.mark.property

UUID: AvroType = {"type": "string", "connect.name": "io.debezium.data.Uuid"}


def decimals(precision: int, scale: int) -> st.SearchStrategy[object]:
    most = 10**precision - 1
    held = st.integers(-most, most).map(lambda digits: Decimal(digits).scaleb(-scale))
    return held | st.just(Unheld("NaN"))


TYPES: Mapping[str, tuple[AvroType, st.SearchStrategy[Any]]] = {
    "int": ("int", st.integers(-(2**31), 2**31 - 1)),
    "long": ("long", st.integers(-(2**63), 2**63 - 1)),
    "small decimal": (decimal(4, 2), decimals(4, 2)),
    "decimal": (decimal(14, 2), decimals(14, 2)),
    "long decimal": (decimal(24, 4), decimals(24, 4)),
    "float": ("float", st.floats(width=32)),
    "double": ("double", st.floats()),
    "text": (
        "string",
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
    ),
    "uuid": (UUID, st.uuids().map(str)),
    "date": (DATE, st.integers(-700_000, 2_900_000) | st.sampled_from([2**31 - 1, -(2**31)])),
}
COLUMNS = ("a", "b", "b__text")


@dataclass(frozen=True)
class Sent:
    """A transaction: the types of its schema's columns by name, and its rows."""

    types: dict[str, str]
    rows: list[dict[str, object]]


@st.composite
def transactions(draw: st.DrawFn) -> list[Sent]:
    sent = []
    for number in range(draw(st.integers(1, 5))):
        types = draw(st.dictionaries(st.sampled_from(COLUMNS), st.sampled_from(sorted(TYPES)), max_size=3))
        rows = []
        for place in range(draw(st.integers(1, 2))):
            values = {name: draw(TYPES[of][1] | st.none()) for name, of in types.items()}
            unsent = [name for name in types if draw(st.integers(0, 9)) == 0]
            rows.append({"id": number * 10 + place, **values, **dict.fromkeys(unsent, Missing.UNCHANGED)})
        sent.append(Sent(types, rows))
    return sent


@pytest.mark.parametrize("policy", list(Evolution))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=transactions(), together=st.booleans())
def test_every_value_is_in_its_column_or_beside_it(
    policy: Evolution, sent: list[Sent], together: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = Evolving(Path(folder))
        table.plan = replace(table.plan, evolution=policy)
        _play(table, sent, together=together)
        stored = table.pipeline.ask("SELECT * FROM (DESCRIBE thing_history)")
        names = [str(row[0]) for row in stored]
        rows = {
            row[names.index("id")]: dict(zip(names, row, strict=True))
            for row in table.pipeline.ask("FROM thing_history")
        }
        assert differences(table.replayed()) == []
    held = 0
    for each in sent:
        for row in each.rows:
            if row["id"] in rows:
                held += 1
                _found_again(row, each.types, rows[row["id"]])
    assert held == len(rows)
    if policy is Evolution.IGNORE:
        assert held == sum(len(each.rows) for each in sent)


def _play(table: Evolving, sent: list[Sent], *, together: bool) -> None:
    """Send and store; a frozen table's changes are applied, a table that stays paused is left."""
    for each in sent:
        table.send({name: TYPES[of][0] for name, of in each.types.items()}, *each.rows)
        if together and each is not sent[-1]:
            continue
        try:
            table.store()
        except SchemaConflict:
            if table.apply().conflict is not None:
                return
            try:
                table.store()
            except SchemaConflict:
                return
    assert table.pipeline.history.exists()


def _found_again(sent: Mapping[str, object], types: Mapping[str, str], kept: Mapping[str, Any]) -> None:
    extra = json.loads(kept["_steno_extra"] or "{}")
    unchanged = kept["_steno_unchanged"] or []
    for name, of in types.items():
        value = sent[name]
        if value is Missing.UNCHANGED:
            assert name in unchanged
        elif value is None:
            assert kept.get(name) is None
            assert extra.get(name) is None
        elif (text := _unheld_text(value, of)) is not None:
            assert kept.get(name) is None
            places = [kept.get(at) or extra.get(at) for at in (f"{name}__text", f"{name}__text_")]
            assert text in places
            assert name in json.loads(kept["_steno_notes"])
        else:
            assert name not in unchanged
            assert _is_same(value, kept.get(name), of) or _is_same(value, extra.get(name), of)


def _unheld_text(value: object, of: str) -> str | None:
    if isinstance(value, Unheld):
        return value.text
    return {2**31 - 1: "infinity", -(2**31): "-infinity"}.get(value) if of == "date" else None  # type: ignore[call-overload]


def _is_same(sent: Any, kept: Any, of: str) -> bool:
    if kept is None:
        return False
    if of == "date":
        days = kept if isinstance(kept, date) else _date(str(kept))
        return days is not None and (days - date(1970, 1, 1)).days == sent
    if of in ("float", "double"):
        return math.isnan(float(kept)) if math.isnan(sent) else float(kept) == sent
    if isinstance(sent, int | Decimal):
        return Decimal(str(kept)) == Decimal(sent)
    return str(kept) == str(sent)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@st.composite
def casts(draw: st.DrawFn) -> tuple[ColumnType, ColumnType, list[object]]:
    whole = {Kind.INT16: 15, Kind.INT32: 31, Kind.INT64: 63}
    kinds = st.sampled_from([*whole, Kind.DECIMAL, Kind.FLOAT32, Kind.BOOLEAN])
    kind = draw(kinds)
    of = ColumnType(kind)
    values: st.SearchStrategy[object] = st.booleans() if kind is Kind.BOOLEAN else st.floats(width=32)
    if kind in whole:
        values = st.integers(-(2 ** whole[kind]), 2 ** whole[kind] - 1)
    if kind is Kind.DECIMAL:
        precision = draw(st.integers(1, 38))
        scale = draw(st.integers(0, precision))
        of = ColumnType(kind, precision, scale)
        digits = st.integers(-(10**precision) + 1, 10**precision - 1)
        values = digits.map(lambda number: Decimal(number).as_tuple()).map(
            lambda parts: Decimal((parts.sign, parts.digits, -scale))
        )
    wide = [ColumnType(each) for each in (*whole, Kind.FLOAT32, Kind.FLOAT64, Kind.TEXT, Kind.NUMBER_TEXT)]
    wide += [ColumnType(Kind.DECIMAL, 38, scale) for scale in (0, 2, 10, 38)]
    possible = [to for to in wide if lossless(of, to) is not None]
    to = draw(st.sampled_from(possible or [of]))
    items: list[object] = draw(st.lists(st.none() | values, max_size=4))
    if draw(st.booleans()):
        return ColumnType(Kind.LIST, element=of), ColumnType(Kind.LIST, element=to), [items, None]
    return of, to, items


@given(casts())
def test_a_cast_of_a_column_is_the_cast_of_its_values(
    cast: tuple[ColumnType, ColumnType, list[object]],
) -> None:
    of, to, items = cast
    made = lossless(of, to)
    assert made is not None

    sent: pa.Array[Any] = pa.array(items, arrow_type(of))
    column = made.column(sent)

    assert column.type == arrow_type(to)
    held: list[object] = list(sent.to_pylist())
    one_by_one = [None if item is None else made.value(item) for item in held]
    expected: pa.Array[Any] = pa.array(one_by_one, arrow_type(to))
    # Compared as text: NaN is not equal to itself.
    assert str(column.to_pylist()) == str(expected.to_pylist())
