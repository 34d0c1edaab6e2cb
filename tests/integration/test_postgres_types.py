"""Every type of Postgres at its edges, the whole way: a real server, our source, Avro, the sink, a DuckDB file.

Each value goes four ways, which have to agree: read by a snapshot, inserted and updated while we stream, and deleted
under the full replica identity. What has to come out is written by hand in tests/postgres_types.py. A table holds
twenty types, its n-th row of a way the n-th edge of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import assert_never

import duckdb
import pytest

from stenograph.events import TableId
from stenograph.schemas import AvroType, nullable_of
from tests.fix_postgres import Database, PostgresServers, fresh_database
from tests.postgres_types import SETUP, TYPES, AsSent, Edge, Fate, TypeFacts, every_edge
from tests.whole_path import WholePath, whole_path

MAJOR = 17
"""The wheel of this version has XML, which 18's has not, and infinite intervals, which 15 has not."""
WAYS = ("snapshot", "create", "update", "delete")
GROUPS = [TYPES[first : first + 20] for first in range(0, len(TYPES), 20)]
SESSION = {
    "DateStyle": "ISO",
    "IntervalStyle": "iso_8601",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    "lc_monetary": "C",
}
"""What the texts of tests/postgres_types.py are printed under."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of one type after the run."""

    wire: str
    column: str
    printed: Mapping[int, str]
    """Row to the server's own text."""
    history: Mapping[tuple[int, str], tuple[str | None, str | None]]
    """Row and operation to the text that DuckDB prints, and the exact text beside it."""


Everything = Mapping[str, Found]


@pytest.fixture(scope="module")
def everything(
    postgres_servers: PostgresServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Everything]:
    tables = [TableId("public", f"g{place}") for place in range(len(GROUPS))]
    with (
        fresh_database(postgres_servers.get(MAJOR)) as database,
        whole_path(database.dsn, tmp_path_factory.mktemp("types"), tables) as path,
    ):
        rows = sum(map(longest, GROUPS))
        database.execute(*SETUP, "; ".join(_made()))
        # Three of an edge's four rows are there before the first reading.
        path.run_until_records(3 * rows)
        database.execute("; ".join(_changes()), "; ".join(_deletes()))
        path.run_until_records(6 * rows)
        path.store()
        with closing(duckdb.connect(str(path.pipeline.history), read_only=True)) as history:
            history.execute("SET TimeZone = 'UTC'")
            found: dict[str, Found] = {}
            for place in range(len(GROUPS)):
                found |= _found(place, database, path, history)
            assert history.execute("FROM _steno_quarantine").fetchall() == []
            yield found


def longest(group: Sequence[TypeFacts]) -> int:
    """The most edges that a type of the group has: so many rows of each way its table has."""
    return max(len(of.edges) for of in group)


def _rows(group: Sequence[TypeFacts], way: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Each row's number, and the literals of its columns."""
    for place in range(longest(group)):
        literals = {of.field: of.edges[place].literal for of in group if place < len(of.edges)}
        yield len(WAYS) * place + WAYS.index(way), literals


def _insert(table: str, number: int, literals: Mapping[str, str]) -> str:
    names, values = ", ".join(["id", *literals]), ", ".join([str(number), *literals.values()])
    return f"INSERT INTO {table} ({names}) VALUES ({values})"


def _made() -> Iterator[str]:
    for place, group in enumerate(GROUPS):
        columns = ", ".join(f"{of.field} {of.sql}" for of in group)
        yield f"CREATE TABLE g{place} (id int PRIMARY KEY, {columns})"
        for way in ("snapshot", "update", "delete"):
            for number, literals in _rows(group, way):
                yield _insert(f"g{place}", number, {} if way == "update" else literals)


def _changes() -> Iterator[str]:
    for place, group in enumerate(GROUPS):
        for number, literals in _rows(group, "create"):
            yield _insert(f"g{place}", number, literals)
        for number, literals in _rows(group, "update"):
            settings = ", ".join(f"{name} = {literal}" for name, literal in literals.items())
            yield f"UPDATE g{place} SET {settings} WHERE id = {number}"


def _deletes() -> Iterator[str]:
    for place in range(len(GROUPS)):
        yield f"ALTER TABLE g{place} REPLICA IDENTITY FULL"
        yield f"DELETE FROM g{place} WHERE mod(id, {len(WAYS)}) = {WAYS.index('delete')}"


def _found(
    place: int, database: Database, path: WholePath, history: duckdb.DuckDBPyConnection
) -> dict[str, Found]:
    group, table = GROUPS[place], f"t{place}_history"
    wire = {column.name: column.avro for column in path.capture.columns(f"crm.public.g{place}")}
    typed = dict(
        history.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ?", [table]
        ).fetchall()
    )
    rows = history.execute(f"SELECT count(*), count(DISTINCT (id, _steno_op)) FROM {table}").fetchall()
    # Updated and deleted rows have a second record: what the snapshot read of them.
    assert rows == [(6 * longest(group), 6 * longest(group))]
    printed = _printed(place, database)
    found = {}
    for of in group:
        beside = f"{of.field}__text" if f"{of.field}__text" in typed else "NULL"
        note = f"json_extract_string(_steno_notes, '$.\"{of.field}\"')"
        rows = history.execute(
            f"SELECT id, _steno_op, {_shown(of.field, typed[of.field])}, {beside}, {note} FROM {table}"
        ).fetchall()
        # The notes name every value that has its text beside it, and no other.
        assert all((text is None) == (note is None) for *_, text, note in rows)
        found[of.name] = Found(
            _named(wire[of.field]),
            typed[of.field],
            {number: texts[of.field] for number, texts in printed.items()},
            {(number, op): (shown, text) for number, op, shown, text, _ in rows},
        )
    return found


def _shown(field: str, typed: str) -> str:
    """The column as a text that tells all of its values apart."""
    match typed:
        case "BLOB":
            return f"lower(hex({field}))"
        case "BLOB[]":
            return f"list_transform({field}, lambda b: lower(hex(b)))::VARCHAR"
        case "VARCHAR[]" | "JSON[]":
            return f"to_json({field}::VARCHAR[])::VARCHAR"
        case _:
            return f"{field}::VARCHAR"


def _named(avro: AvroType) -> str:
    """The wire type in the words of tests/postgres_types.py."""
    match avro:
        case str():
            return avro
        case {"type": "array", "items": items}:
            return f"array of {_named(nullable_of(items)[0])}"  # type: ignore[arg-type]
        case {"logicalType": "decimal", "precision": precision, "scale": scale}:
            return f"bytes Decimal({precision},{scale})"
        case {"connect.name": str(name), "type": str(base)}:
            return f"{base} {name.rpartition('.')[2]}"
        case {"connect.type": kind, "type": str(base)}:
            return f"{base} ({kind})"
        case _:
            raise AssertionError(avro)


def _printed(place: int, database: Database) -> dict[int, dict[str, str]]:
    fields = [of.field for of in GROUPS[place]]
    # `format` calls the type's output function: a cast to text would strip the padding of char(n).
    texts = ", ".join(f"format('%s', {field})" for field in fields)
    with database.connect() as connection:
        for name, value in SESSION.items():
            connection.execute("SELECT set_config(%s, %s, false)", [name, value])
        rows = connection.execute(f"SELECT id, {texts} FROM g{place}".encode()).fetchall()
    return {int(str(number)): dict(zip(fields, map(str, rest), strict=True)) for number, *rest in rows}


@pytest.mark.parametrize(
    ("of", "edge"), [pytest.param(of, edge, id=f"{of.name}-{edge.name}") for of, edge in every_edge()]
)
def test_type(of: TypeFacts, edge: Edge, everything: Everything) -> None:
    found, first = everything[of.name], len(WAYS) * list(of.edges).index(edge)
    numbered = list(enumerate(WAYS, start=first))
    assert [found.printed.get(number) for number, _ in numbered] == [*[edge.printed] * 3, None]
    assert (found.wire, found.column) == (of.wire, of.column)
    for number, way in numbered:
        assert found.history.get((number, way)) == held(edge), way


def held(edge: Edge) -> tuple[str | None, str | None]:
    """The text of the row's value, and the exact text beside it: the policy for values that history cannot hold."""
    match edge.held:
        case str() as text:
            return text, None
        case Fate.AS_PRINTED:
            return edge.printed, None
        case Fate.NOT_ON_THE_WIRE | Fate.NOT_IN_THE_COLUMN:
            return None, edge.printed
        case AsSent(text):
            return None, text
        case _:
            assert_never(edge.held)
