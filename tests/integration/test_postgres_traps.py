"""The traps of Postgres's logical replication, each on real servers, numbered as the design numbers them.

Here are those about rows, tables and publications. Those about a capture that is refused stand in
test_postgres_refusals.py (15, 16, 17, 21, 24), the sixth in test_postgres_checkup.py, and tables that are rewritten
without an event (23) in a file of their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from stenograph.envelope.headers import TEXT
from stenograph.errors import SourceRefused, SourceRewound
from stenograph.events import ChangeEvent, KeyChange, Missing, Op
from stenograph.ports import Start
from stenograph.sources.postgres.server import EmbeddedServer, stop
from tests.capturing import Capturing, capturing
from tests.fix_postgres import Database
from tests.integration.test_postgres_refusals import own_server, refused
from tests.integration.test_postgres_source import caught_up, quiet

every_version = pytest.mark.parametrize("postgres_server", [15, 17, 18], indirect=True)
BIG = "SELECT string_agg(md5(i::text), '') FROM generate_series(1, 500) AS i"


def rows(events: Sequence[ChangeEvent]) -> list[tuple[str, object]]:
    """Operation and row of each event: of a delete its key."""
    return [(e.op.value, e.key if e.after is None else dict(e.after)) for e in events]


def avro_of(capture: Capturing, topic: str) -> dict[str, object]:
    """Column to Avro type in the topic's newest schema."""
    return {column.name: column.avro for column in capture.columns(topic)}


def versions_of(capture: Capturing, topic: str) -> int:
    """How many schemas the topic's values have had."""
    return len(capture.registry.subjects[f"{topic}-value"])


@every_version
def test_trap_01_an_unchanged_toasted_value_is_unchanged_and_with_full_identity_it_is_there(
    database: Database,
) -> None:
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY, n int, big text)", f"INSERT INTO lead VALUES (1, 0, ({BIG}))"
    )
    ((text,),) = database.fetch("SELECT big FROM lead")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute("UPDATE lead SET n = 1", "UPDATE lead SET id = 2")
        database.execute("ALTER TABLE lead REPLICA IDENTITY FULL", "UPDATE lead SET n = 2")
        database.execute("UPDATE lead SET id = 3", "UPDATE lead SET big = NULL")
        capture.run_until_records(8)
        _, with_default, _, after_key_change, with_full, _, key_change_with_full, gone = capture.events()
        assert with_default.after == {"id": 1, "n": 1, "big": Missing.UNCHANGED}
        assert after_key_change.after == {"id": 2, "n": 1, "big": Missing.UNCHANGED}
        assert with_full.after == {"id": 2, "n": 2, "big": text}
        assert with_full.before == {"id": 2, "n": 1, "big": text}
        assert key_change_with_full.after == {"id": 3, "n": 2, "big": text}
        assert gone.after == {"id": 3, "n": 2, "big": None}


@every_version
def test_trap_02_a_delete_under_the_default_identity_says_nothing_of_other_columns(
    database: Database,
) -> None:
    database.execute(
        "CREATE TABLE lead (a text, b int NOT NULL, id int, PRIMARY KEY (id, a))",
        "INSERT INTO lead VALUES ('x', 7, 1), ('y', 8, 2)",
    )
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute("DELETE FROM lead WHERE id = 1")
        database.execute("ALTER TABLE lead REPLICA IDENTITY FULL", "DELETE FROM lead WHERE id = 2")
        capture.run_until_records(4)
        with_key, with_all = capture.events(start=2)
        assert (with_key.key, with_key.before_is_full) == ({"id": 1, "a": "x"}, False)
        assert (with_all.key, with_all.before_is_full) == ({"id": 2, "a": "y"}, True)
        assert with_all.before == {"a": "y", "b": 8, "id": 2}


@every_version
def test_trap_03_a_key_change_is_a_delete_and_a_create_that_know_each_other(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY, name text)", "INSERT INTO lead VALUES (1, 'a')")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute("UPDATE lead SET id = 2 WHERE id = 1")
        database.execute("ALTER TABLE lead REPLICA IDENTITY FULL", "UPDATE lead SET id = 3 WHERE id = 2")
        capture.run_until_records(5)
        changes = [
            (e.op, e.key, e.key_change, e.related_key, e.before_is_full) for e in capture.events(start=1)
        ]
        assert changes == [
            (Op.DELETE, {"id": 1}, KeyChange.LEFT, {"id": 2}, False),
            (Op.CREATE, {"id": 2}, KeyChange.ARRIVED, {"id": 1}, False),
            (Op.DELETE, {"id": 2}, KeyChange.LEFT, {"id": 3}, True),
            (Op.CREATE, {"id": 3}, KeyChange.ARRIVED, {"id": 2}, False),
        ]


def test_trap_03_keys_that_change_places_in_one_statement_are_two_key_changes(database: Database) -> None:
    database.execute(
        "CREATE TABLE lead (id int, name text, PRIMARY KEY (id) DEFERRABLE INITIALLY IMMEDIATE)",
        "ALTER TABLE lead REPLICA IDENTITY FULL",
        "INSERT INTO lead VALUES (1, 'a'), (2, 'b')",
    )
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute("UPDATE lead SET id = 3 - id")
        capture.run_until_records(6)
        assert rows(capture.events(start=2)) == [
            ("delete", {"id": 1}),
            ("create", {"id": 2, "name": "a"}),
            ("delete", {"id": 2}),
            ("create", {"id": 1, "name": "b"}),
        ]


@every_version
def test_trap_04_the_full_identity_does_not_make_every_column_a_key(database: Database) -> None:
    database.execute(
        "CREATE TABLE lead (name text, id int PRIMARY KEY)", "ALTER TABLE lead REPLICA IDENTITY FULL"
    )
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute("INSERT INTO lead VALUES ('a', 1)", "UPDATE lead SET name = 'b'")
        capture.run_until_records(2)
        created, updated = capture.events()
        assert [e.key for e in (created, updated)] == [{"id": 1}, {"id": 1}]
        assert updated.before == {"name": "a", "id": 1}


@every_version
def test_trap_05_an_identity_that_hides_the_old_key_is_refused(database: Database) -> None:
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY, code text NOT NULL UNIQUE)",
        "ALTER TABLE lead REPLICA IDENTITY USING INDEX lead_code_key",
    )
    refusal = refused(database.dsn, "lead")
    assert isinstance(refusal, SourceRefused)
    assert refusal.hint == 'ALTER TABLE "public"."lead" REPLICA IDENTITY DEFAULT;'
    database.execute(refusal.hint, "ALTER TABLE lead REPLICA IDENTITY USING INDEX lead_pkey")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute("INSERT INTO lead VALUES (1, 'a')", "UPDATE lead SET id = 2")
        capture.run_until_records(3)
        assert [e.key for e in capture.events()] == [{"id": 1}, {"id": 1}, {"id": 2}]


@every_version
def test_trap_07_one_truncate_of_several_tables_gives_one_event_each(database: Database) -> None:
    database.execute(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int REFERENCES a); CREATE TABLE c (id int)"
    )
    with capturing(database.dsn, "a", "b") as capture:
        quiet(capture)
        database.execute("INSERT INTO a VALUES (1)", "TRUNCATE a CASCADE; INSERT INTO a VALUES (2)")
        capture.run_until_records(4)
        assert sorted((e.op, e.origin.table.name) for e in capture.events()[1:3]) == [
            (Op.TRUNCATE, "a"),
            (Op.TRUNCATE, "b"),
        ]
        assert all(e.key is None for e in capture.events()[1:3])
        orders = [record.order for record in capture.records]
        assert orders == sorted(set(orders))


@every_version
def test_trap_08_a_table_altered_inside_a_transaction_has_each_row_in_its_own_shape(
    database: Database,
) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute(
            "INSERT INTO lead VALUES (1); ALTER TABLE lead ADD COLUMN a text; INSERT INTO lead VALUES (2, 'x');"
            "ALTER TABLE lead ADD COLUMN b int NOT NULL DEFAULT 7; INSERT INTO lead VALUES (3, 'y', 8);"
            "ALTER TABLE lead DROP COLUMN a; INSERT INTO lead VALUES (4, 9)"
        )
        capture.run_until_records(4)
        assert [e.after for e in capture.events()] == [
            {"id": 1},
            {"id": 2, "a": "x"},
            {"id": 3, "a": "y", "b": 8},
            {"id": 4, "b": 9},
        ]


@every_version
def test_trap_08_a_relation_that_is_sent_again_unchanged_registers_nothing(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY, name text)")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute("INSERT INTO lead VALUES (1, 'a')")
        capture.run_until_records(1)
        for number in (2, 3):
            # Each tells the decoder that the table has changed, and neither changes what is sent.
            database.execute(
                "ALTER TABLE lead SET (fillfactor = 90); CREATE INDEX ON lead (name)",
                f"INSERT INTO lead VALUES ({number}, 'b')",
            )
        capture.run_until_records(3)
        assert versions_of(capture, "crm.public.lead") == 1


def test_trap_08_a_table_altered_and_rolled_back_to_a_savepoint_keeps_its_shape(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY, name text)")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute(
            "BEGIN; INSERT INTO lead VALUES (1, 'a'); SAVEPOINT s; ALTER TABLE lead DROP COLUMN name;"
            "INSERT INTO lead VALUES (2); ROLLBACK TO s; INSERT INTO lead VALUES (3, 'c'); COMMIT"
        )
        capture.run_until_records(2)
        caught_up(capture, database)
        assert [e.after for e in capture.events()] == [{"id": 1, "name": "a"}, {"id": 3, "name": "c"}]


def test_trap_08_renamed_columns_and_tables_are_told_by_the_stream(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY, name text)")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute(
            "INSERT INTO lead VALUES (1, 'a'); ALTER TABLE lead RENAME name TO title;"
            "INSERT INTO lead VALUES (2, 'b')"
        )
        capture.run_until_records(2)
        assert [e.after for e in capture.events()] == [{"id": 1, "name": "a"}, {"id": 2, "title": "b"}]


GENERATED = "CREATE TABLE lead (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, n int)"


@every_version
def test_trap_09_a_generated_column_is_absent_unless_it_is_published(database: Database) -> None:
    database.execute(GENERATED, "INSERT INTO lead (id, n) VALUES (1, 1)")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute("INSERT INTO lead (id, n) VALUES (2, 2)")
        capture.run_until_records(2)
        assert [e.after for e in capture.events()] == [{"id": 1, "n": 1}, {"id": 2, "n": 2}]
        assert versions_of(capture, "crm.public.lead") == 1


def test_trap_09_a_published_generated_column_is_read_and_streamed(database: Database) -> None:
    database.execute(
        GENERATED,
        "ALTER TABLE lead ADD virtual int GENERATED ALWAYS AS (id * 3) VIRTUAL",
        "INSERT INTO lead (id, n) VALUES (1, 1)",
        "CREATE PUBLICATION steno_test FOR TABLE lead WITH (publish_generated_columns = stored)",
    )
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute("INSERT INTO lead (id, n) VALUES (2, 2)")
        capture.run_until_records(2)
        assert [e.after for e in capture.events()] == [
            {"id": 1, "twice": 2, "n": 1},
            {"id": 2, "twice": 4, "n": 2},
        ]
        assert versions_of(capture, "crm.public.lead") == 1


PARTITIONED = (
    "CREATE TABLE event (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
    "CREATE TABLE event_a PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');"
    "CREATE TABLE event_b PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')"
)


@every_version
def test_trap_10_a_partitioned_table_streams_under_its_own_name(database: Database) -> None:
    database.execute(PARTITIONED, "INSERT INTO event VALUES (1, '2024-05-05')")
    with capturing(database.dsn, "event") as capture:
        quiet(capture)
        database.execute(
            "INSERT INTO event VALUES (2, '2025-05-05')", "UPDATE event SET at = '2025-06-06' WHERE id = 1"
        )
        capture.run_until_records(4)
        # The row moves to another partition: a delete there and an insert here.
        assert [e.op for e in capture.events()] == [Op.SNAPSHOT, Op.CREATE, Op.DELETE, Op.CREATE]
        assert {record.topic for record in capture.records} == {"crm.public.event"}


@every_version
def test_trap_10_a_filled_table_that_is_attached_emits_nothing_and_its_later_changes_do(
    database: Database,
) -> None:
    # Its columns stand in another order, and one was dropped: each partition has a layout of its own.
    database.execute(
        PARTITIONED,
        "CREATE TABLE event_c (gone text, at date NOT NULL, id int NOT NULL)",
        "ALTER TABLE event_c DROP COLUMN gone",
        "INSERT INTO event_c VALUES ('2026-01-01', 9)",
    )
    with capturing(database.dsn, "event") as capture:
        quiet(capture)
        database.execute(
            "ALTER TABLE event ATTACH PARTITION event_c FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
            "INSERT INTO event VALUES (3, '2026-03-03')",
            "UPDATE event SET id = 10 WHERE id = 9",
        )
        capture.run_until(lambda: len(streamed(capture)) >= 3)
        assert rows(streamed(capture)) == [
            ("create", {"id": 3, "at": 20515}),
            ("delete", {"id": 9, "at": 20454}),
            ("create", {"id": 10, "at": 20454}),
        ]


def streamed(capture: Capturing) -> list[ChangeEvent]:
    """The events of the stream alone."""
    return [capture.event(record) for record in capture.records if "/stream/" in record.lane]


ODD_SETTINGS = {
    "TimeZone": "Asia/Kolkata",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "postgres_verbose",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "xmlbinary": "hex",
    "search_path": "nowhere",
}


@every_version
def test_trap_11_the_settings_of_role_and_database_change_no_value(database: Database) -> None:
    row = "'2024-07-01 12:00:00.1+02', '2024-02-03', '1 day -2 hours', 0.30000000000000004, 0.1::real, '\\x00ff'::bytea"
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY, z timestamptz, d date, i interval, f float8, g float4, b bytea)",
        f"INSERT INTO lead VALUES (1, {row})",
        *(f"ALTER DATABASE {database.name} SET {name} = '{value}'" for name, value in ODD_SETTINGS.items()),
    )
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute(f"SET DateStyle = ISO; INSERT INTO public.lead VALUES (2, {row})")
        capture.run_until_records(2)
        assert [{**(e.after or {}), "id": 0} for e in capture.events()] == 2 * [
            {
                "id": 0,
                "z": "2024-07-01T10:00:00.100000Z",
                "d": 19756,
                "i": 22 * 3600 * 1_000_000,
                "f": 0.30000000000000004,
                "g": pytest.approx(0.1, rel=1e-7),
                "b": b"\x00\xff",
            }
        ]


@every_version
def test_trap_12_values_at_the_edge_are_the_same_read_and_streamed(database: Database) -> None:
    row = (
        "'NaN', 'Infinity', '-Infinity', '-0', 'infinity', '-infinity', '0044-03-15 BC', '12345-01-01', '24:00:00',"
        "'{1,NULL,3}', 'ab', '-$1.50', ROW(1, NULL), '{\"b\": 1, \"a\": 2}', 'NaN'"
    )
    database.execute(
        "CREATE TYPE pair AS (x int, y text)",
        "CREATE TABLE v (id int PRIMARY KEY, nan float8, inf float8, low float8, zero float8, ever timestamp,"
        " never date, bc date, far date, night time, list int[], padded char(5), cash money, two pair, doc jsonb,"
        " no numeric(5, 2))",
        f"INSERT INTO v VALUES (1, {row})",
    )
    with capturing(database.dsn, "v") as capture:
        quiet(capture)
        database.execute(f"INSERT INTO v VALUES (2, {row})")
        capture.run_until_records(2)
        read, inserted = ({**(e.after or {}), "id": 0} for e in capture.events())
        assert repr(read) == repr(inserted)
        assert [str(read[name]) for name in ("nan", "inf", "low", "zero")] == ["nan", "inf", "-inf", "-0.0"]
        assert (read["ever"], read["never"]) == (9223372036825200000, -(2**31))
        assert (read["bc"], read["far"], read["night"]) == (-735_160, 3_789_391, 86_400_000_000)
        assert (read["list"], read["padded"], read["two"]) == ([1, None, 3], "ab   ", "(1,)")
        assert (str(read["cash"]), read["doc"], read["no"]) == ("-1.50", '{"a": 2, "b": 1}', None)
        assert [dict(record.headers)[TEXT] for record in capture.records] == 2 * [b'{"no":"NaN"}']


@every_version
def test_trap_13_types_of_the_database_are_looked_up_in_its_catalogue(database: Database) -> None:
    database.execute(
        "CREATE SCHEMA other; CREATE TYPE other.mood AS ENUM ('sad', 'ok')",
        "CREATE DOMAIN percent AS int CHECK (VALUE <= 100); CREATE DOMAIN low AS percent CHECK (VALUE < 50)",
        "CREATE TYPE pair AS (x int, y other.mood)",
        "CREATE TABLE t (id int PRIMARY KEY, m other.mood, ms other.mood[], p low, c pair)",
    )
    with capturing(database.dsn, "t") as capture:
        quiet(capture)
        database.execute("INSERT INTO t VALUES (1, 'ok', '{sad,ok}', 7, ROW(1, 'sad'))")
        capture.run_until_records(1)
        assert capture.events()[0].after == {"id": 1, "m": "ok", "ms": ["sad", "ok"], "p": 7, "c": "(1,sad)"}
        types = avro_of(capture, "crm.public.t")
        assert types["p"] == "int"
        assert isinstance(types["m"], dict)
        assert types["m"]["connect.parameters"] == {"allowed": "sad,ok"}


@every_version
def test_trap_13_types_altered_in_mid_stream_lose_no_value(database: Database) -> None:
    database.execute(
        "CREATE TYPE mood AS ENUM ('sad'); CREATE DOMAIN code AS text CHECK (VALUE <> '')",
        "CREATE TYPE pair AS (x int); CREATE TABLE t (id int PRIMARY KEY, m mood, c code, p pair)",
    )
    with capturing(database.dsn, "t") as capture:
        quiet(capture)
        database.execute(
            "INSERT INTO t VALUES (1, 'sad', 'a', ROW(1))",
            "ALTER TYPE mood ADD VALUE 'ok' BEFORE 'sad'",
            "ALTER DOMAIN code DROP CONSTRAINT code_check",
            "INSERT INTO t VALUES (2, 'ok', '', NULL)",
            "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'; ALTER TYPE mood RENAME TO feeling",
            "INSERT INTO t VALUES (3, 'blue', 'c', ROW(3))",
        )
        capture.run_until_records(3)
        assert [(e.after or {})["m"] for e in capture.events()] == ["sad", "ok", "blue"]
        assert [(e.after or {})["c"] for e in capture.events()] == ["a", "", "c"]


def test_trap_13_a_type_that_was_dropped_before_its_values_were_read_is_text(database: Database) -> None:
    database.execute("CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (id int PRIMARY KEY, m mood)")
    with capturing(database.dsn, "t") as capture:
        quiet(capture)
        capture.close()
        database.execute(
            "INSERT INTO t VALUES (1, 'sad')", "ALTER TABLE t DROP COLUMN m; DROP TYPE mood",
            "INSERT INTO t VALUES (2)",
        )  # fmt: skip
        capture.run_until_records(2)
        assert [e.after for e in capture.events()] == [{"id": 1, "m": "sad"}, {"id": 2}]


def test_trap_14_what_debezium_loses_is_kept(database: Database) -> None:
    database.execute(
        "CREATE TYPE pair AS (x int, y text)",
        "CREATE TABLE t (id int PRIMARY KEY, grid int[], two pair, no numeric(5, 2), long interval)",
    )
    with capturing(database.dsn, "t") as capture:
        quiet(capture)
        database.execute("INSERT INTO t VALUES (1, '{{1,2},{3,4}}', ROW(1, 'a,b'), 'NaN', '178000000 years')")
        capture.run_until_records(1)
        (event,) = capture.events()
        assert event.after == {"id": 1, "grid": None, "two": '(1,"a,b")', "no": None, "long": None}
        assert event.texts == {"grid": "{{1,2},{3,4}}", "no": "NaN", "long": "P178000000Y"}


@every_version
def test_trap_18_the_publication_is_older_than_the_slot(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)", "INSERT INTO lead VALUES (1)")
    with capturing(database.dsn, "lead") as capture:
        # The run is announced, and killed before it has made anything; then somebody makes a slot of its name.
        capture.step()
        capture.close()
        database.execute(f"SELECT pg_create_logical_replication_slot('steno_{database.name}', 'pgoutput')")
        database.execute("INSERT INTO lead VALUES (2)")
        quiet(capture)
        database.execute("INSERT INTO lead VALUES (3)")
        capture.run_until_records(3)
        assert rows(capture.events()) == [
            ("snapshot", {"id": 1}),
            ("snapshot", {"id": 2}),
            ("create", {"id": 3}),
        ]
        assert database.fetch(
            "SELECT p.xmin::text::bigint < s.catalog_xmin::text::bigint FROM pg_publication AS p,"
            " pg_replication_slots AS s WHERE s.database = current_database() AND NOT s.temporary"
        ) == [(True,)]


def test_trap_19_a_promoted_server_is_not_taken_for_the_one_before_and_is_read_anew_on_demand() -> None:
    with own_server(wal_level="logical") as (folder, dsn), capturing(dsn, "lead") as capture:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("INSERT INTO lead VALUES (1)")
            capture.run_until_records(1)
            capture.close()
            ((data,),) = connection.execute("SHOW data_directory").fetchall()
        stop(folder)
        signal_file = Path(data) / "standby.signal"
        signal_file.touch()
        shutil.chown(signal_file, Path(data).owner())
        with EmbeddedServer(folder, "crm") as again, psycopg.connect(again, autocommit=True) as connection:
            assert connection.execute("SELECT pg_promote()").fetchone() == (True,)
            connection.execute("INSERT INTO lead VALUES (2)")
            with capturing(again, "lead", slot=capture.settings.slot) as promoted:
                promoted.positions = list(capture.positions)
                with pytest.raises(SourceRewound, match="promoted") as refusal:
                    promoted.open()
                assert "steno capture --anew" in refusal.value.hint
                promoted.open(Start.ANEW)
                promoted.run_until(lambda: len(promoted.events()) >= 3)
                assert rows(promoted.events()) == [
                    ("truncate", None),
                    ("snapshot", {"id": 1}),
                    ("snapshot", {"id": 2}),
                ]


@every_version
def test_trap_20_cascades_triggers_and_replica_sessions_are_all_seen(database: Database) -> None:
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY, n int)",
        "CREATE TABLE note (id int PRIMARY KEY, lead int REFERENCES lead ON DELETE CASCADE ON UPDATE CASCADE)",
        "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO note VALUES (NEW.id * 10, NEW.id); RETURN NEW; END $$",
        "CREATE FUNCTION doubled() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.n := NEW.n * 2; RETURN NEW; END $$",
        "CREATE TRIGGER a AFTER INSERT ON lead FOR EACH ROW EXECUTE FUNCTION noted()",
        "CREATE TRIGGER b BEFORE INSERT ON lead FOR EACH ROW EXECUTE FUNCTION doubled()",
    )
    with capturing(database.dsn, "lead", "note") as capture:
        quiet(capture)
        database.execute(
            "INSERT INTO lead VALUES (1, 5)",
            "UPDATE lead SET id = 2",
            "DELETE FROM lead",
            "SET session_replication_role = replica; INSERT INTO lead VALUES (3, 5); INSERT INTO note VALUES (4, 99)",
        )
        capture.run_until_records(9)
        caught_up(capture, database)
        assert [
            (e.origin.table.name, *row)
            for e, row in zip(capture.events(), rows(capture.events()), strict=True)
        ] == [
            ("lead", "create", {"id": 1, "n": 10}),
            ("note", "create", {"id": 10, "lead": 1}),
            ("lead", "delete", {"id": 1}),
            ("lead", "create", {"id": 2, "n": 10}),
            ("note", "update", {"id": 10, "lead": 2}),
            ("lead", "delete", {"id": 2}),
            ("note", "delete", {"id": 10}),
            # A session in the replica role fires no trigger and checks no reference.
            ("lead", "create", {"id": 3, "n": 5}),
            ("note", "create", {"id": 4, "lead": 99}),
        ]


@every_version
def test_trap_22_a_column_dropped_and_added_again_under_its_name_is_a_change_of_type(
    database: Database,
) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY, v varchar(10) NOT NULL)")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute(
            "INSERT INTO lead VALUES (1, 'a'); ALTER TABLE lead DROP COLUMN v, ADD COLUMN v numeric(8, 2);"
            "INSERT INTO lead VALUES (2, 1.5); ALTER TABLE lead DROP COLUMN v, ADD COLUMN v numeric(8, 3);"
            "INSERT INTO lead VALUES (3, NULL), (4, 1.5)"
        )
        capture.run_until_records(4)
        assert [str((e.after or {})["v"]) for e in capture.events()] == ["a", "1.50", "None", "1.500"]
        # Three while the changes came, and one for the shape that the first row's reading had.
        assert versions_of(capture, "crm.public.lead") >= 3
