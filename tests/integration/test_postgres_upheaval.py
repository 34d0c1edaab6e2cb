"""Tables that change their nature, and servers that die, in the moments in which capture could lose by it."""

from __future__ import annotations

import time
from datetime import timedelta

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from stenograph.errors import SourceRefused, SourceUnavailable
from stenograph.events import Op
from stenograph.ports import Start
from stenograph.sources.postgres import reading
from stenograph.sources.postgres.position import resume_point
from tests.capturing import Capturing, capturing
from tests.fix_postgres import Database

SOON = timedelta(milliseconds=50)


def read_all(capture: Capturing) -> None:
    """Run the capture until every table is read."""
    capture.run_until(lambda: is_read(capture))


def is_read(capture: Capturing) -> bool:
    if capture.stored is None:
        return False
    marks = resume_point(capture.stored).tables
    return set(marks) == set(capture.tables) and all(mark.reading.value == "read" for mark in marks.values())


def state_of(capture: Capturing, table: str) -> dict[object, object]:
    """The rows that the events of one table leave, by their first key column."""
    state: dict[object, object] = {}
    for event in capture.events():
        if event.origin.table.name != table:
            continue
        match event.op:
            case Op.TRUNCATE:
                state.clear()
            case Op.DELETE:
                assert event.key is not None
                state.pop(next(iter(event.key.values())), None)
            case _:
                assert event.key is not None
                assert event.after is not None
                state[next(iter(event.key.values()))] = dict(event.after)
    return state


def test_a_table_rewritten_between_the_snapshot_and_its_reading_is_read_whole(database: Database) -> None:
    database.execute(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, v int)",
        "INSERT INTO a SELECT generate_series(1, 30); INSERT INTO b SELECT n, n FROM generate_series(1, 5) n",
    )
    with capturing(database.dsn, "a", "b") as capture:
        capture.limit = 10
        capture.run_until(lambda: any(record.topic == "crm.public.a" for record in capture.records))
        database.execute("ALTER TABLE b ALTER v TYPE text")
        read_all(capture)
        assert state_of(capture, "b") == {n: {"id": n, "v": str(n)} for n in range(1, 6)}


def test_a_change_under_another_primary_key_waits_for_the_table_to_be_read(database: Database) -> None:
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY, code text NOT NULL)",
        "INSERT INTO lead VALUES (1, 'a'), (2, 'b')",
    )
    with capturing(database.dsn, "lead") as capture:
        read_all(capture)
        # The catalogue has just been looked at: the changes come before the next look.
        capture.step()
        database.execute(
            "ALTER TABLE lead DROP CONSTRAINT lead_pkey, ADD PRIMARY KEY (code)",
            "DELETE FROM lead WHERE id = 1",
            "UPDATE lead SET code = 'c' WHERE id = 2",
        )
        capture.run_until(lambda: set(state_of(capture, "lead")) == {"c"})


def test_a_primary_key_that_was_another_one_for_a_while_loses_no_change(database: Database) -> None:
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY, code text NOT NULL)",
        "INSERT INTO lead VALUES (1, 'a'), (2, 'b')",
    )
    with capturing(database.dsn, "lead") as capture:
        read_all(capture)
        database.execute(
            "ALTER TABLE lead DROP CONSTRAINT lead_pkey, ADD PRIMARY KEY (code)",
            "DELETE FROM lead WHERE id = 1",
            "ALTER TABLE lead DROP CONSTRAINT lead_pkey, ADD PRIMARY KEY (id)",
            "INSERT INTO lead VALUES (3, 'c')",
        )
        capture.run_until(lambda: set(state_of(capture, "lead")) == {2, 3})


def test_a_key_column_that_was_gone_for_a_while_loses_no_change(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY, code text)", "INSERT INTO lead VALUES (1, 'a')")
    with capturing(database.dsn, "lead") as capture:
        read_all(capture)
        database.execute(
            "ALTER TABLE lead DROP COLUMN id",
            "INSERT INTO lead VALUES ('b')",
            "ALTER TABLE lead ADD COLUMN id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        )
        capture.run_until(lambda: set(state_of(capture, "lead")) == {1, 2})


def test_a_snapshot_given_up_leaves_no_slot_behind(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "EXPORT_SECONDS", 0.2)
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)")
    with capturing(database.dsn, "lead") as capture:
        capture.run_until(lambda: capture.stored is not None and len(resume_point(capture.stored).slot) > 0)
        capture.run_until(lambda: resume_point(capture.positions[-1]).lsn > 0)
        with psycopg.connect(database.dsn) as application:
            application.execute("CREATE TABLE other (id int)")
            source = capture.source
            assert source is not None
            capture.run_until(lambda: source._reading is not None)
            capture.run_until(lambda: source._reading is None)
            deadline = time.monotonic() + 5
            while database.fetch(
                "SELECT 1 FROM pg_replication_slots WHERE database = current_database() AND temporary"
            ):
                assert time.monotonic() < deadline, "the temporary slot is still there"
            application.rollback()


def test_a_server_gone_at_the_acknowledgement_is_tried_again(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)")
    with capturing(database.dsn, "lead") as capture:
        source = capture.open()
        deadline = time.monotonic() + 20
        while True:
            batch = source.poll(100, SOON)
            capture.append(batch)
            if source._intent:
                break
            if batch.upto is not None:
                source.acknowledge(batch.upto)
            assert time.monotonic() < deadline
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        assert batch.upto is not None
        with pytest.raises(SourceUnavailable):
            source.acknowledge(batch.upto)


def test_a_run_begun_anew_and_killed_before_its_slot_exists_records_the_gap(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)")
    with capturing(database.dsn, "lead") as capture:
        read_all(capture)
        capture.open(Start.ANEW)
        capture.step()
        capture.close()
        read_all(capture)
        ((gap),) = capture.gaps()
        assert gap is not None
        assert capture.stored is not None
        assert gap.repaired_by == resume_point(capture.stored).run


def test_a_table_put_back_into_the_publication_is_read_whatever_is_killed(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)")
    with capturing(database.dsn, "lead") as capture:
        read_all(capture)
        capture.close()
        database.execute("ALTER PUBLICATION steno_test DROP TABLE lead", "INSERT INTO lead VALUES (1)")
        published = "SELECT 1 FROM pg_publication_tables WHERE pubname = 'steno_test'"
        source = capture.open()
        while True:
            batch = source.poll(100, SOON)
            if database.fetch(published):
                # The capture is killed before it can append what it has just been given.
                break
            capture.append(batch)
            if batch.upto is not None:
                source.acknowledge(batch.upto)
        capture.close()
        capture.run_until(lambda: set(state_of(capture, "lead")) == {1})


def test_a_table_whose_rows_are_hidden_from_the_role_is_refused(database: Database) -> None:
    role = f"reader_{database.name}"
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY, mine bool); INSERT INTO lead VALUES (1, true), (2, false)",
        "CREATE PUBLICATION steno_test FOR TABLE lead WITH (publish_via_partition_root = true)",
        f"CREATE ROLE {role} LOGIN REPLICATION PASSWORD 'x'; GRANT SELECT ON lead TO {role}",
        f"CREATE POLICY own ON lead FOR SELECT TO {role} USING (mine); ALTER TABLE lead ENABLE ROW LEVEL SECURITY",
    )
    facts = conninfo_to_dict(database.dsn)
    dsn = f"postgresql://{role}:x@{facts['host']}:{facts['port']}/{database.name}"
    try:
        with capturing(dsn, "lead") as capture, pytest.raises(SourceRefused) as refusal:
            read_all(capture)
        assert "row-level security" in str(refusal.value)
    finally:
        database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_another_slot_in_the_pipeline_file_is_refused(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)")
    with capturing(database.dsn, "lead") as capture:
        read_all(capture)
        capture.close()
        capture.settings = capture.settings.model_copy(update={"slot": "another"})
        with pytest.raises(SourceRefused) as refusal:
            capture.open()
        assert f"steno_{database.name}" in refusal.value.hint


def test_a_capture_killed_while_its_slot_is_being_made_goes_on_when_the_server_can(
    database: Database,
) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)")
    with capturing(database.dsn, "lead") as capture:
        with psycopg.connect(database.dsn) as application:
            application.execute("CREATE TABLE other (id int)")
            source = capture.open()
            while not source._has_asked_for_slot:
                capture.step()
            # A killed process cancels nothing.
            source._connection._is_asking = False
            capture.close()
            with pytest.raises(SourceUnavailable):
                capture.run_until(lambda: False)
            application.rollback()
        read_all(capture)
