"""Every trap and every type of Postgres has its tests: they are collected and counted, and the document agrees."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.postgres_types import TYPES

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "debezium-postgres"
TRAPS = frozenset(range(1, 25))

DESIGN: Mapping[str, str] = {
    "boolean": "true false",
    "smallint": "min max",
    "integer": "min max",
    "bigint": "min max",
    "real": "nan infinity minus-infinity minus-zero",
    "double precision": "nan infinity minus-infinity minus-zero",
    "numeric(38,9)": "max min nan",
    "numeric": "huge tiny nan infinity minus-infinity",
    "numeric(60,30)": "max nan",
    "numeric(3,-2)": "max",
    "text": "empty unicode four-bytes controls toasted",
    "varchar(20)": "full empty",
    "char(5)": "padded empty",
    "mood": "first unicode",
    "citext": "mixed-case",
    "uuid": "nil max",
    "json": "order-and-duplicates big-number lone-surrogate",
    "jsonb": "order-and-duplicates big-number",
    "bytea": "empty all-bytes",
    "date": "infinity minus-infinity bc year-12345",
    "timestamp": "infinity minus-infinity bc year-12345 microseconds",
    "timestamptz": "infinity minus-infinity bc year-12345 microseconds",
    "time": "end-of-day microseconds",
    "timetz": "offset-seconds end-of-day",
    "interval": "every-part mixed-signs infinity beyond-a-long",
    "int[]": "with-null empty two-dimensions",
    "text[]": "quoted empty unicode",
    "numeric(10,2)[]": "with-null nan",
    "timestamptz[]": "ordinary",
    "mood[]": "ordinary",
    "int4range": "empty unbounded",
    "int4multirange": "two empty",
    "point": "ordinary",
    "point3": "ordinary nulls",
    "small_percent": "max",
    "money": "max min",
    "inet": "with-mask ipv6",
    "cidr": "net",
    "macaddr": "ordinary",
    "bit(1)": "one zero",
    "varbit(20)": "empty leading-zeros",
    "xml": "element",
    "hstore": "pairs empty",
    "ltree": "path",
    "tsvector": "positions empty",
    "oid": "max",
    '"char"': "letter empty",
    "name": "longest",
}
"""The rows of the design's table and the types beside it, each with the edges that it must at least have."""


@cache
def collected() -> tuple[str, ...]:
    """The ids of all tests of traps and types, as the runner collects them."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
    ]
    ran = subprocess.run(
        [*command, "-k", "test_trap_ or test_type", "tests/integration"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return tuple(line.partition("::")[2] for line in ran.stdout.splitlines() if "::" in line)


def test_every_trap_has_a_test() -> None:
    found = [int(number) for name in collected() for number in re.findall(r"^test_trap_(\d\d)_", name)]
    assert set(found) == TRAPS


def test_every_edge_of_every_type_is_a_test() -> None:
    found = [name for name in collected() if name.startswith("test_type[")]
    assert sorted(found) == sorted(f"test_type[{of.name}-{edge.name}]" for of in TYPES for edge in of.edges)


def test_every_type_of_the_design_has_its_edges() -> None:
    known = {of.sql: {edge.name for edge in of.edges} for of in TYPES}
    missing = {sql: set(edges.split()) - known.get(sql, set()) for sql, edges in DESIGN.items()}
    assert {sql: edges for sql, edges in missing.items() if edges} == {}


SPELLINGS = {"int": "integer", "bit varying": "varbit"}


def spelled(sql: str) -> str:
    """The type as tests/postgres_types.py spells it."""
    base, bracket, rest = sql.partition("(")
    return SPELLINGS.get(base, base) + bracket + rest


def golden_types() -> Iterator[str]:
    """The SQL type of every column of the golden tables."""
    for statement in (GOLDEN / "tables.sql").read_text(encoding="utf-8").split("\n;;\n"):
        found = re.fullmatch(r"create table \w+ \((.*)\)\s*", statement.strip())
        for column in re.split(r", (?![^(]*\))", found[1]) if found else ():
            if not column.startswith("primary key"):
                yield re.sub(r" (primary key|not null|default) ?.*", "", column.partition(" ")[2])


def test_every_type_of_the_golden_tables_is_tested() -> None:
    known = {of.sql for of in TYPES}
    assert len(set(golden_types())) > 40
    assert {sql for sql in golden_types() if sql not in known and spelled(sql) not in known} == set()


def names_in(avro: Any) -> Iterator[str]:
    """The semantic names in a schema, without their packages."""
    match avro:
        case list():
            for branch in avro:
                yield from names_in(branch)
        case dict():
            name = avro.get("connect.name", "")
            if name.startswith(("io.debezium.data.", "io.debezium.time.")):
                yield name.rpartition(".")[2]
            for value in avro.values():
                yield from names_in(value)


def test_every_semantic_name_of_the_golden_schemas_is_tested() -> None:
    golden = set(names_in(list(json.loads((GOLDEN / "schemas.json").read_text(encoding="utf-8")).values())))
    assert len(golden) > 10
    assert golden - {word for of in TYPES for word in of.wire.split()} == set()


def test_the_document_says_what_the_tests_hold() -> None:
    text = (ROOT / "docs" / "contributors" / "postgres-types.md").read_text(encoding="utf-8")
    table = text.partition("|---|---|---|\n")[2].partition("\n\n")[0].splitlines()
    assert table == [f"| `{of.sql}` | {of.wire} | {of.column} |" for of in TYPES]
