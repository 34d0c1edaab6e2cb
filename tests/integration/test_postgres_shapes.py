"""Tables of unusual names, widths and keys, and databases of other encodings, from the server to the history file."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from psycopg import sql

from stenograph.errors import SchemaConflict, SourceRefused
from stenograph.events import TableId
from tests.capturing import capturing
from tests.fix_postgres import Database, PostgresServer, fresh_database
from tests.integration.test_postgres_checkup import faults, points
from tests.integration.test_postgres_refusals import refused
from tests.whole_path import whole_path


def quoted(*names: str) -> str:
    return sql.Identifier(*names).as_string(None)


NAMES = (
    "select",
    "größe",
    "漢字",
    'a "quoted" one',
    "two words",
    "dash-ed",
    "1st",
    "a.b",
    "Tab\tin it",
    "😀",
    "x'y",
)
COLUMNS = (*NAMES, "a_b", "a b", "order", "{brace}", "back\\slash", "n" * 63)


@pytest.mark.parametrize("name", [name for name in NAMES if "." not in name])
def test_a_table_and_columns_of_any_name_reach_history_under_their_own(
    name: str, database: Database, tmp_path: Path
) -> None:
    table = TableId("ein Schema", name)
    sql_name, listed = quoted(table.schema, name), ", ".join(f"{quoted(column)} text" for column in COLUMNS)
    values = [f"value {place}" for place in range(len(COLUMNS))]
    row = ", ".join(f"'{value}'" for value in values)
    database.execute(
        f"CREATE SCHEMA {quoted(table.schema)}",
        f"CREATE TABLE {sql_name} ({quoted('Id ')} int PRIMARY KEY, {listed})",
        f"INSERT INTO {sql_name} VALUES (1, {row})",
    )
    with whole_path(database.dsn, tmp_path, [table]) as path:
        path.run_until_records(1)
        database.execute(
            f"INSERT INTO {sql_name} VALUES (2, {row})",
            f"UPDATE {sql_name} SET {quoted(COLUMNS[0])} = 'x' WHERE {quoted('Id ')} = 1",
            f"DELETE FROM {sql_name} WHERE {quoted('Id ')} = 2",
        )
        path.run_until_records(4)
        path.store()
        names = ", ".join(quoted(column) for column in ("Id ", *COLUMNS))
        found = path.pipeline.ask(f"SELECT _steno_op, {names} FROM t0_history ORDER BY _steno_log_offset")
        assert found == [
            ("snapshot", 1, *values),
            ("create", 2, *values),
            ("update", 1, "x", *values[1:]),
            ("delete", 2, *[None] * len(COLUMNS)),
        ]


def test_columns_that_differ_only_in_case_are_refused_with_their_names(
    database: Database, tmp_path: Path
) -> None:
    database.execute(
        'CREATE TABLE t (id int PRIMARY KEY, "Name" text, name text)', "INSERT INTO t VALUES (1)"
    )
    with whole_path(database.dsn, tmp_path, [TableId("public", "t")]) as path:
        path.run_until_records(1)
        with pytest.raises(SchemaConflict) as refusal:
            path.store()
        assert "Name" in str(refusal.value)


def test_tables_that_differ_only_in_case_have_histories_of_their_own(
    database: Database, tmp_path: Path
) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY)", 'CREATE TABLE "T" (id int PRIMARY KEY)')
    with whole_path(database.dsn, tmp_path, [TableId("public", "t"), TableId("public", "T")]) as path:
        database.execute("INSERT INTO t VALUES (1)", 'INSERT INTO "T" VALUES (2)')
        path.run_until_records(2)
        path.store()
        assert path.pipeline.ask("SELECT (SELECT id FROM t0_history), (SELECT id FROM t1_history)") == [
            (1, 2)
        ]


KINDS = ("int", "text", "numeric(12, 2)", "timestamptz", "bool")


def nth(place: int) -> object:
    """The value of the column at that place of the wide table."""
    return (
        place,
        f"text {place}",
        Decimal(f"{place}.50"),
        datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=place),
        place % 2 == 0,
    )[place % 5]


def test_three_hundred_columns_arrive_in_their_places(database: Database, tmp_path: Path) -> None:
    values = tuple(nth(place) for place in range(300))
    row = ", ".join(sql.Literal(value).as_string(None) for value in values)
    listed = ", ".join(f"c{place} {KINDS[place % 5]}" for place in range(300))
    database.execute(
        f"CREATE TABLE wide (id int PRIMARY KEY, {listed})", f"INSERT INTO wide VALUES (0, {row})"
    )
    with whole_path(database.dsn, tmp_path, [TableId("public", "wide")]) as path:
        path.run_until_records(1)
        database.execute(
            f"INSERT INTO wide VALUES (1, {row})",
            "UPDATE wide SET c299 = NULL WHERE id = 1",
            "DELETE FROM wide",
        )
        path.run_until_records(5)
        path.store()
        shown = ", ".join(f"c{place}" for place in range(300))
        found = path.pipeline.ask(f"SELECT {shown} FROM t0_history ORDER BY _steno_log_offset")
        assert found == [values, values, (*values[:299], None), (None,) * 300, (None,) * 300]


def test_a_value_that_the_wire_cannot_hold_is_null_in_history_also_where_null_is_not_allowed(
    database: Database, tmp_path: Path
) -> None:
    row = "'NaN', '{{1}}', 'NaN'"
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, n numeric(5, 2) NOT NULL, a int[] NOT NULL, d numeric NOT NULL DEFAULT 7)",
        "ALTER TABLE t REPLICA IDENTITY FULL",
        f"INSERT INTO t VALUES (1, {row})",
    )
    with whole_path(database.dsn, tmp_path, [TableId("public", "t")]) as path:
        path.run_until_records(1)
        database.execute(
            f"INSERT INTO t VALUES (2, {row})", "UPDATE t SET a = '{1}' WHERE id = 1", "DELETE FROM t"
        )
        path.run_until_records(5)
        path.store()
        found = path.pipeline.ask(
            "SELECT id, n, a, d, n__text, a__text, d__text FROM t0_history ORDER BY _steno_log_offset"
        )
        odd, even = (None, None, None, "NaN", "{{1}}", "NaN"), (None, [1], None, "NaN", None, "NaN")
        assert found[:3] == [(1, *odd), (2, *odd), (1, *even)]
        assert sorted(found[3:]) == [(1, *even), (2, *odd)]


def test_columns_that_share_a_record_type_define_it_once(database: Database, tmp_path: Path) -> None:
    database.execute(
        "CREATE TABLE t (k numeric PRIMARY KEY, a numeric, b numeric[], p point, q point[], r point)",
        "INSERT INTO t VALUES (1.5, 2.50, '{3,NULL}', '(1,2)', '{\"(3,4)\"}', NULL)",
    )
    with whole_path(database.dsn, tmp_path, [TableId("public", "t")]) as path:
        path.run_until_records(1)
        database.execute("UPDATE t SET k = 2", "INSERT INTO t (k) VALUES (7)")
        path.run_until_records(4)
        path.store()
        found = path.pipeline.ask(
            "SELECT k, a, b, p->>'x', q[1]->>'y', r FROM t0_history ORDER BY _steno_log_offset"
        )
        assert found == [
            ("1.5", "2.50", ["3", None], "1.0", "4.0", None),
            ("1.5", None, None, None, None, None),
            ("2", "2.50", ["3", None], "1.0", "4.0", None),
            ("7", None, None, None, None, None),
        ]


def test_a_key_that_the_wire_cannot_hold_is_refused_with_a_way_out(database: Database) -> None:
    database.execute("CREATE TABLE t (n numeric(5, 2) PRIMARY KEY)", "INSERT INTO t VALUES ('NaN'), (1)")
    with capturing(database.dsn, "t") as capture:
        with pytest.raises(SourceRefused) as refusal:
            capture.run_until(lambda: False)
        assert (refusal.value.facts["table"], refusal.value.facts["column"]) == (TableId("public", "t"), "n")
        assert "--anew" in refusal.value.hint


def test_a_key_that_travels_and_that_history_cannot_hold_is_set_aside(
    database: Database, tmp_path: Path
) -> None:
    database.execute(
        "CREATE TABLE t (id int, until date, PRIMARY KEY (id, until))",
        "INSERT INTO t VALUES (1, 'infinity'), (1, '2024-01-01')",
    )
    with whole_path(database.dsn, tmp_path, [TableId("public", "t")]) as path:
        path.run_until_records(2)
        database.execute("DELETE FROM t WHERE until = 'infinity'")
        path.run_until_records(3)
        path.store()
        assert path.pipeline.ask("SELECT id, until FROM t0_history") == [(1, date(2024, 1, 1))]
        assert path.pipeline.ask("SELECT count(*) FROM _steno_quarantine") == [(2,)]


def of_encoding(name: str) -> str:
    """The options of a database in that encoding; the C locale goes with all of them."""
    return f"ENCODING '{name}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"


@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_JIS_2004", "WIN1252"])
def test_texts_of_another_encoding_are_converted(
    encoding: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    text = "日本語 größe ①" if encoding.startswith("EUC") else "größe ÿ"
    with fresh_database(postgres_server, of_encoding(encoding)) as database:
        database.execute(
            'CREATE TABLE t (id int PRIMARY KEY, "größe" text)', f"INSERT INTO t VALUES (1, '{text}')"
        )
        with whole_path(database.dsn, tmp_path, [TableId("public", "t")]) as path:
            path.run_until_records(1)
            database.execute(f"INSERT INTO t VALUES (2, '{text}')")
            path.run_until_records(2)
            path.store()
            assert path.pipeline.ask('SELECT "größe" FROM t0_history') == [(text,), (text,)]


def test_a_database_that_does_not_know_its_encoding_is_refused(postgres_server: PostgresServer) -> None:
    with fresh_database(postgres_server, of_encoding("SQL_ASCII")) as database:
        database.execute("CREATE TABLE t (id int PRIMARY KEY)")
        refusal = refused(database.dsn, "t")
        assert isinstance(refusal, SourceRefused)
        assert "SQL_ASCII" in str(refusal)
        assert "ENCODING 'UTF8'" in faults(points(database.dsn, "t"))["encoding"]
