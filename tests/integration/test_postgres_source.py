"""The Postgres source against real servers, as the capture loop uses it."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from stenograph.errors import SourceUnavailable
from stenograph.events import ChangeEvent, Op, TableId
from stenograph.offsets import parts_of
from stenograph.sources.postgres.lsn import lsn_of
from stenograph.sources.postgres.position import resume_point
from tests.capturing import Capturing, Logged, capturing
from tests.components import require_component
from tests.fix_postgres import Database, PostgresServer

MARK = "SELECT pg_logical_emit_message(true, 'steno.mark', '')"

both_versions = pytest.mark.parametrize("postgres_server", [17, 18], indirect=True)


def caught_up(capture: Capturing, database: Database) -> None:
    """Run the capture until it has given everything that is committed now."""
    ((text,),) = database.fetch("SELECT pg_current_wal_insert_lsn()::text")
    database.execute(MARK)
    assert isinstance(text, str)
    target = lsn_of(text)
    capture.run_until(lambda: capture.stored is not None and resume_point(capture.stored).lsn >= target)


def quiet(capture: Capturing) -> None:
    """Run the capture until every table is read."""
    capture.run_until(lambda: all_read(capture))


def all_read(capture: Capturing) -> bool:
    if capture.stored is None:
        return False
    marks = resume_point(capture.stored).tables
    return set(marks) == set(capture.tables) and all(m.reading.value == "read" for m in marks.values())


def state_of(events: list[ChangeEvent]) -> dict[object, dict[str, object]]:
    """The rows that the events leave, each under its first key column."""
    state: dict[object, dict[str, object]] = {}
    for event in events:
        match event.op:
            case Op.TRUNCATE:
                state.clear()
            case Op.DELETE:
                assert event.key is not None
                # A delete of a row that is not there would be a change lost before it.
                del state[next(iter(event.key.values()))]
            case _:
                assert event.key is not None
                assert event.after is not None
                key = next(iter(event.key.values()))
                assert (key in state) == (event.op is Op.UPDATE)
                state[key] = dict(event.after)
    return state


def test_a_first_run_reads_the_table_then_streams(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY, name text)", "INSERT INTO lead VALUES (1, 'a')")
    with capturing(database.dsn, "lead") as capture:
        capture.run_until_records(1)
        database.execute("INSERT INTO lead VALUES (2, 'b')", "UPDATE lead SET name = 'c' WHERE id = 1")
        capture.run_until_records(3)
        assert [(e.op, e.key, e.after) for e in capture.events()] == [
            (Op.SNAPSHOT, {"id": 1}, {"id": 1, "name": "a"}),
            (Op.CREATE, {"id": 2}, {"id": 2, "name": "b"}),
            (Op.UPDATE, {"id": 1}, {"id": 1, "name": "c"}),
        ]


def test_the_log_knows_of_the_run_before_the_slot_exists(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)")
    with capturing(database.dsn, "lead") as capture:
        batch = capture.step()
        assert batch.upto is not None
        assert len(batch) == 0
        assert database.fetch("SELECT 1 FROM pg_replication_slots WHERE database = current_database()") == []
        assert abs(resume_point(batch.upto).run - time.time()) < 60


@both_versions
def test_snapshot_and_stream_meet_exactly_under_concurrent_writes(database: Database) -> None:
    database.execute(
        "CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL)",
        "INSERT INTO account SELECT i, 0 FROM generate_series(1, 5000) AS i",
    )
    with capturing(database.dsn, "account") as capture, writing(database, 3):
        capture.limit = 300
        capture.run_until(lambda: len(capture.records) > 12_000)
        capture.close()
        capture.run_until(lambda: len(capture.records) > 14_000)
    caught_up(capture, database)
    capture.close()
    expected = {row[0]: {"id": row[0], "balance": row[1]} for row in database.fetch("TABLE account")}
    assert state_of(without_repeats(capture)) == expected


@contextmanager
def writing(database: Database, writers: int) -> Iterator[None]:
    """Writers that insert, update, delete and change keys until the block ends."""
    stop = threading.Event()

    def write(seed: int) -> None:
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            turn = 0
            while not stop.is_set():
                turn += 1
                low, new = turn * 37 % 5000, 10_000 * (seed + 1) + turn
                with connection.transaction(force_rollback=turn % 7 == 0):
                    connection.execute("INSERT INTO account VALUES (%s, 1)", [new])
                    connection.execute("UPDATE account SET balance = balance + 1 WHERE id = %s", [low])
                    connection.execute("UPDATE account SET id = -id WHERE id = %s", [new - 2])
                    connection.execute("DELETE FROM account WHERE id = %s", [-(new - 5)])

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(writers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def without_repeats(capture: Capturing) -> list[ChangeEvent]:
    """What the sink would store: records whose order is above the highest in their lane."""
    marks: dict[str, bytes] = {}
    kept = []
    for record in capture.records:
        if record.order > marks.get(record.lane, b""):
            marks[record.lane] = record.order
            kept.append(capture.event(record))
    return kept


def test_changes_that_are_sent_again_have_the_same_orders_and_bytes(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY, name text)")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute(
            "INSERT INTO lead SELECT i, 'x' FROM generate_series(1, 50) AS i",
            "UPDATE lead SET id = id + 100 WHERE id < 10; DELETE FROM lead WHERE id = 20",
            "UPDATE lead SET name = 'y' WHERE id = 30",
        )
        # The log takes nothing, as when it crashes before the append: nothing is acknowledged.
        first = polled(capture, 50 + 18 + 1 + 1)
        capture.close()
        capture.records.clear()
        capture.limit = 7
        again = polled(capture, len(first))
        assert [(r.lane, r.order, r.key) for r in again] == [(r.lane, r.order, r.key) for r in first]
        assert [facts(capture.event(r)) for r in again] == [facts(capture.event(r)) for r in first]


def polled(capture: Capturing, count: int) -> list[Logged]:
    """That many records, of which the log keeps no position."""
    positions = list(capture.positions)
    source = capture.open()
    deadline = time.monotonic() + 20
    while len(capture.records) < count:
        assert time.monotonic() < deadline
        capture.append(source.poll(capture.limit, timedelta(milliseconds=50)))
    capture.positions[:] = positions
    return list(capture.records)


def facts(event: ChangeEvent) -> tuple[object, ...]:
    """All of an event but when it was observed."""
    return (event.origin, event.transaction, event.before, event.after, event.related_key)


def test_ten_thousand_rows_of_one_copy_have_orders_of_their_own(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY, name text)")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        with database.connect() as connection, connection.cursor().copy("COPY lead FROM STDIN") as copy:
            for number in range(10_000):
                copy.write_row((number, f"name {number}"))
        capture.run_until_records(10_000)
        orders = [record.order for record in capture.records]
        assert orders == sorted(set(orders))
        assert len({parts_of(order)[2] for order in orders}) < len(orders)
        inside = [e.transaction.total_order for e in capture.events() if e.transaction is not None]
        assert inside == list(range(1, 10_001))


def test_a_toasted_key_that_does_not_change_is_known(database: Database) -> None:
    database.execute(
        "CREATE TABLE page (url text PRIMARY KEY, n int)",
        "ALTER TABLE page ALTER url SET STORAGE EXTERNAL",
        "INSERT INTO page VALUES (repeat('x', 2500), 0)",
    )
    with capturing(database.dsn, "page") as capture:
        quiet(capture)
        database.execute("UPDATE page SET n = 1")
        capture.run_until_records(2)
        event = capture.events()[1]
        assert (event.op, event.key) == (Op.UPDATE, {"url": "x" * 2500})


def test_a_null_written_before_the_column_forbade_nulls_stays_null(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY, status text)")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        capture.close()
        database.execute(
            "INSERT INTO lead VALUES (1, NULL)",
            "UPDATE lead SET status = 'new'",
            "ALTER TABLE lead ALTER status SET DEFAULT 'new', ALTER status SET NOT NULL",
        )
        capture.run_until_records(2)
        assert [e.after for e in capture.events()] == [{"id": 1, "status": None}, {"id": 1, "status": "new"}]


def test_a_null_in_a_column_with_a_default_stays_null(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY, n int DEFAULT 7)")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute("INSERT INTO lead VALUES (1, NULL)", "INSERT INTO lead VALUES (2)")
        capture.run_until_records(2)
        assert [e.after for e in capture.events()] == [{"id": 1, "n": None}, {"id": 2, "n": 7}]


def test_a_keyless_table_has_records_without_a_key(database: Database) -> None:
    database.execute("CREATE TABLE note (body text)", "INSERT INTO note VALUES ('a')")
    with capturing(database.dsn, "note") as capture:
        quiet(capture)
        database.execute("INSERT INTO note VALUES ('b')", "ALTER TABLE note REPLICA IDENTITY FULL")
        database.execute("UPDATE note SET body = 'c' WHERE body = 'b'", "DELETE FROM note WHERE body = 'a'")
        capture.run_until_records(4)
        assert [(e.op, e.key) for e in capture.events()] == [
            (op, None) for op in (Op.SNAPSHOT, Op.CREATE, Op.UPDATE, Op.DELETE)
        ]


def test_a_table_added_later_is_read_while_the_others_stream(database: Database) -> None:
    database.execute(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1)"
    )
    with capturing(database.dsn, "a") as capture:
        quiet(capture)
        capture.close()
        database.execute("INSERT INTO a VALUES (1)", "INSERT INTO b VALUES (2)")
        capture.tables = [*capture.tables, TableId("public", "b")]
        quiet(capture)
        database.execute("INSERT INTO b VALUES (3)", "INSERT INTO a VALUES (2)")
        caught_up(capture, database)
        seen = sorted((e.origin.table.name, e.op.value, e.key["id"]) for e in capture.events() if e.key)
        assert seen == [
            ("a", "create", 1),
            ("a", "create", 2),
            ("b", "create", 3),
            ("b", "snapshot", 1),
            ("b", "snapshot", 2),
        ]


def test_a_table_that_was_left_out_for_a_while_is_read_again(database: Database) -> None:
    database.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)")
    with capturing(database.dsn, "a", "b") as capture:
        quiet(capture)
        capture.close()
        both, capture.tables = capture.tables, capture.tables[:1]
        capture.open()
        database.execute("INSERT INTO b VALUES (1)")
        caught_up(capture, database)
        capture.close()
        capture.tables = both
        capture.run_until_records(2)
        assert [(e.op, e.key) for e in capture.events()] == [(Op.TRUNCATE, None), (Op.SNAPSHOT, {"id": 1})]


def test_a_table_taken_out_of_the_publication_is_put_back_and_read_again(database: Database) -> None:
    database.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)")
    with capturing(database.dsn, "a", "b") as capture:
        quiet(capture)
        database.execute("ALTER PUBLICATION steno_test DROP TABLE b", "INSERT INTO b VALUES (1)")
        capture.run_until_records(2)
        assert [(e.op, e.key) for e in capture.events()] == [(Op.TRUNCATE, None), (Op.SNAPSHOT, {"id": 1})]


def test_a_table_made_again_is_cleared_and_read_again(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)", "INSERT INTO lead VALUES (1)")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute(
            "DROP TABLE lead; CREATE TABLE lead (id int PRIMARY KEY, name text); INSERT INTO lead VALUES (2, 'x')"
        )
        capture.run_until_records(3)
        database.execute("INSERT INTO lead VALUES (3, 'y')")
        capture.run_until_records(4)
        assert [(e.op, e.key) for e in capture.events()] == [
            (Op.SNAPSHOT, {"id": 1}),
            (Op.TRUNCATE, None),
            (Op.SNAPSHOT, {"id": 2}),
            (Op.CREATE, {"id": 3}),
        ]
        again = capture.records[1].lane
        assert again.startswith("crm/snapshot/")
        assert again.endswith("/public.lead/2")
        assert capture.records[2].lane == again


def test_a_changed_primary_key_makes_the_table_be_read_again(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY, email text NOT NULL)")
    with capturing(database.dsn, "lead") as capture:
        database.execute("INSERT INTO lead VALUES (1, 'a')")
        quiet(capture)
        database.execute("ALTER TABLE lead DROP CONSTRAINT lead_pkey, ADD PRIMARY KEY (email)")
        database.execute("INSERT INTO lead VALUES (2, 'b')")
        capture.run_until(lambda: len(capture.records) >= 4 and all_read(capture))
        keys = [e.key for e in capture.events() if e.op is Op.SNAPSHOT]
        assert keys[-2:] == [{"email": "a"}, {"email": "b"}]


def test_a_reading_that_was_broken_off_starts_again_in_a_lane_of_its_own(database: Database) -> None:
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY)", "INSERT INTO lead SELECT generate_series(1, 100)"
    )
    with capturing(database.dsn, "lead") as capture:
        capture.limit = 30
        capture.run_until_records(60)
        assert not all_read(capture)
        capture.close()
        quiet(capture)
        lanes = list(dict.fromkeys(record.lane for record in capture.records))
        assert [lane.rsplit("/", 1)[1] for lane in lanes] == ["1", "2"]
        second = [capture.event(r) for r in capture.records if r.lane == lanes[1]]
        assert second[0].op is Op.TRUNCATE
        assert [e.key for e in second[1:]] == [{"id": n} for n in range(1, 101)]


def test_pgbench_may_be_set_up_again_and_run_while_we_stream(
    database: Database, postgres_server: PostgresServer
) -> None:
    pgbench = postgres_server.binaries.folder / "pgbench"
    require_component("pgbench", None if pgbench.exists() else f"{pgbench.name} is not beside the server")
    facts = conninfo_to_dict(database.dsn)

    def bench(*arguments: str) -> None:
        subprocess.run([str(pgbench), *arguments, database.dsn], check=True, capture_output=True, timeout=60)

    assert facts["dbname"] == database.name
    bench("-i", "-q", "-s", "1")
    tables = ("pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history")
    with capturing(database.dsn, *tables) as capture:
        quiet(capture)
        bench("-c", "2", "-t", "50")
        caught_up(capture, database)
        setup = threading.Thread(target=bench, args=("-i", "-q", "-s", "1"))
        setup.start()
        while setup.is_alive():
            capture.step()
        setup.join()
        ids = {
            ("public", t): row
            for t in tables
            for row in database.fetch(f"SELECT '{t}'::regclass::oid::bigint")
        }

        def current() -> bool:
            assert capture.stored is not None
            marks = resume_point(capture.stored).tables
            return all_read(capture) and all(
                ids[table.schema, table.name] == (mark.signature.oid,)
                and (mark.signature.key or "history" in table.name)
                for table, mark in marks.items()
            )

        capture.run_until(current, patience=60)
        bench("-c", "2", "-t", "50")
        caught_up(capture, database)
        for table in tables[:3]:
            events = [capture.event(r) for r in last_reading(capture, f"crm.public.{table}")]
            rows = database.fetch(f"TABLE {table}")
            assert sorted(map(row_text, state_of(events).values())) == sorted(map(str, rows))


def last_reading(capture: Capturing, topic: str) -> list[Logged]:
    """The topic's records from the last time on that the table was read."""
    of_topic = [record for record in capture.records if record.topic == topic]
    lane = next(record.lane for record in reversed(of_topic) if "/snapshot/" in record.lane)
    first = next(place for place, record in enumerate(of_topic) if record.lane == lane)
    return of_topic[first:]


def row_text(row: dict[str, object]) -> str:
    return str(tuple(row.values()))


def test_an_idle_capture_lets_the_server_go_on_but_stores_its_position_first(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY); CREATE TABLE other (id int)")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        before = confirmed(database)
        database.execute("INSERT INTO other SELECT generate_series(1, 1000)", MARK)
        batch = capture.unacknowledged_move()
        assert batch.upto is not None
        assert capture.source is not None
        assert confirmed(database) == before
        capture.source.acknowledge(batch.upto)
        deadline = time.monotonic() + 10
        while confirmed(database) == before:
            assert time.monotonic() < deadline
            capture.step(timedelta(0))
        assert confirmed(database) <= resume_point(batch.upto).lsn


def test_a_connection_that_the_server_ends_is_tried_again(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)")
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        database.execute(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
            "WHERE database = current_database() AND active"
        )
        with pytest.raises(SourceUnavailable):
            capture.run_until(lambda: False)
        capture.close()
        database.execute("INSERT INTO lead VALUES (1)")
        capture.run_until_records(1)


def test_a_capture_whose_log_is_slow_is_not_cut_off(database: Database) -> None:
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY)",
        f"ALTER ROLE CURRENT_USER IN DATABASE {database.name} SET wal_sender_timeout = '1s'",
    )
    with capturing(database.dsn, "lead") as capture:
        quiet(capture)
        assert capture.source is not None
        database.execute("INSERT INTO lead SELECT generate_series(1, 100000)")
        slow_until = time.monotonic() + 3
        while time.monotonic() < slow_until:
            capture.source.keep_alive()
            threading.Event().wait(0.2)
        capture.run_until_records(1000)


def test_a_long_transaction_delays_a_reading_but_not_the_stream_for_ever(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("reading", "source"):
        monkeypatch.setattr(f"stenograph.sources.postgres.{module}.EXPORT_SECONDS", 0.5)
    database.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)")
    with capturing(database.dsn, "a") as capture:
        quiet(capture)
        capture.close()
        with database.connect() as connection, connection.transaction():
            connection.execute("INSERT INTO b VALUES (1)")
            capture.tables = [*capture.tables, TableId("public", "b")]
            capture.run_until(
                lambda: capture.stored is not None and len(resume_point(capture.stored).tables) == 2
            )
            database.execute("INSERT INTO a VALUES (1)")
            capture.run_until_records(1)
            assert not all_read(capture)
        quiet(capture)
        caught_up(capture, database)
        assert [(e.op, e.key) for e in capture.events() if e.origin.table.name == "b"][-1:] == [
            (Op.SNAPSHOT, {"id": 1})
        ]


def confirmed(database: Database) -> int:
    ((text,),) = database.fetch(
        "SELECT confirmed_flush_lsn::text FROM pg_replication_slots "
        "WHERE database = current_database() AND NOT temporary"
    )
    assert isinstance(text, str)
    return lsn_of(text)
