"""What a checkup says of a real server: each trouble with the statement that mends it, which then does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from stenograph.diagnosis import Diagnosis, State
from stenograph.errors import LogUnavailable, SourceUnavailable
from stenograph.events import TableId
from stenograph.offsets import Position
from stenograph.pipeline.site import Site
from stenograph.sources.postgres.adapter import PostgresAdapter
from stenograph.sources.postgres.catalogue import Slot
from stenograph.sources.postgres.checkup import examined
from stenograph.sources.postgres.checkup.health import Capacity
from stenograph.sources.postgres.checkup.server import capacity_points
from stenograph.sources.postgres.server import is_running
from stenograph.sources.postgres.settings import PostgresSettings
from tests.capturing import Capturing, capturing
from tests.fix_postgres import Database
from tests.integration.test_postgres_refusals import PASSWORD, drop_slot, own_server, role


@pytest.fixture
def lead(database: Database) -> Database:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)", "INSERT INTO lead VALUES (1)")
    return database


def settings_of(dsn: str) -> PostgresSettings:
    return PostgresSettings(
        kind="postgres",
        name="crm",
        dsn="env:UNUSED",
        slot=f"steno_{dsn.rsplit('/', 1)[1]}",
        publication="steno_test",
    )


def points(dsn: str, *tables: str, stored: Position | None = None) -> list[Diagnosis]:
    ids = [TableId("public", table) for table in tables]
    found = list(examined(dsn, settings_of(dsn), ids, lambda: stored, "crm"))
    assert all(PASSWORD not in str(point) for point in found)
    assert all(point.fix for point in found if point.state is State.FAULT)
    return found


def faults(found: Sequence[Diagnosis]) -> dict[str, str]:
    """Name to fix."""
    return {point.name: point.fix or "" for point in found if point.state is State.FAULT}


def warned(found: Sequence[Diagnosis]) -> set[str]:
    return {point.name for point in found if point.state is State.WARNING}


def point(found: Sequence[Diagnosis], name: str) -> Diagnosis:
    (one,) = [each for each in found if each.name == name]
    return one


def point_fix(found: Sequence[Diagnosis], name: str) -> str:
    """The one fix of all points of that name."""
    (fix,) = {each.fix for each in found if each.name == name}
    assert fix is not None
    return fix


def state_of(database: Database) -> list[tuple[object, ...]]:
    """What a checkup could have changed."""
    return database.fetch(
        "SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()),"
        " (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_class),"
        " (SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables)"
    )


def test_a_server_that_is_ready_has_no_fault_and_nothing_changes(lead: Database) -> None:
    before = state_of(lead)
    found = points(lead.dsn, "lead")
    assert faults(found) == {}
    assert warned(found) == {"max_slot_wal_keep_size"}
    assert "its key is id" in point(found, "table public.lead").sentence
    assert "capture will make" in point(found, "publication").sentence
    assert "capture will make" in point(found, "slot").sentence
    assert state_of(lead) == before


@pytest.mark.parametrize("postgres_server", [17, 18], indirect=True)
def test_a_running_capture_has_no_fault(lead: Database) -> None:
    with capturing(lead.dsn, "lead") as capture:
        capture.run_until_records(1)
        found = points(lead.dsn, "lead", stored=capture.stored)
        assert faults(found) == {}
        assert "sends every table" in point(found, "publication").sentence
        assert "is read through" in point(found, "slot").sentence
        assert "of WAL" in point(found, "retained WAL").sentence


def test_a_slot_that_nobody_reads_is_a_warning_with_the_command_that_does(lead: Database) -> None:
    with capturing(lead.dsn, "lead") as capture:
        capture.run_until_records(1)
        capture.close()
        slot = point(until_idle(lead, capture), "slot")
        assert (slot.state, slot.fix) == (State.WARNING, "steno capture -p crm")


def test_a_server_that_does_not_answer_is_told_by_raising() -> None:
    with pytest.raises(SourceUnavailable):
        points(f"postgresql://u:{PASSWORD}@127.0.0.1:1/db", "lead")


def test_a_role_without_privileges_is_told_every_statement_at_once(lead: Database) -> None:
    with role(lead) as dsn:
        name = f'"role_{lead.name}"'
        found = faults(points(dsn, "lead"))
        assert found["replication"] == f"As a superuser: ALTER ROLE {name} REPLICATION;"
        assert f'GRANT SELECT ON "public"."lead" TO {name};' in found["table public.lead"]
        assert found["publication"] == (
            'CREATE PUBLICATION "steno_test" FOR TABLE "public"."lead" WITH (publish_via_partition_root = true);'
        )
        assert set(found) == {"replication", "table public.lead", "publication"}
        lead.execute(
            f"ALTER ROLE {name} REPLICATION",
            found["table public.lead"].removeprefix("As their owner: "),
            found["publication"],
        )
        assert faults(points(dsn, "lead")) == {}


def test_a_table_that_the_publication_lacks_is_told_to_those_who_may_not_add_it(lead: Database) -> None:
    lead.execute("CREATE TABLE contact (id int PRIMARY KEY)", "CREATE PUBLICATION steno_test FOR TABLE lead")
    assert "Capture will add" in point(points(lead.dsn, "lead", "contact"), "publication").sentence
    grants = "GRANT SELECT ON lead, contact TO {role}"
    with role(lead, "ALTER ROLE {role} REPLICATION", grants) as dsn:
        fix = faults(points(dsn, "lead", "contact"))["publication"]
        assert fix == 'ALTER PUBLICATION "steno_test" ADD TABLE "public"."contact";'
        lead.execute(fix)
        assert faults(points(dsn, "lead", "contact")) == {}


def test_a_publication_that_leaves_something_out_is_told(lead: Database) -> None:
    lead.execute(
        "ALTER TABLE lead ADD name text",
        "CREATE PUBLICATION steno_test FOR TABLE lead (id) WHERE (id > 5) WITH (publish = 'insert')",
    )
    found = points(lead.dsn, "lead")
    assert "SET (publish = 'insert, update, delete, truncate')" in faults(found)["publication"]
    said = [each.sentence for each in found if each.name == "publication of public.lead"]
    assert [sentence for sentence in said if "name" in sentence]
    assert [sentence for sentence in said if "filter" in sentence]
    lead.execute(faults(found)["publication"], point_fix(found, "publication of public.lead"))
    again = points(lead.dsn, "lead")
    assert (faults(again), warned(again)) == ({}, {"max_slot_wal_keep_size"})


def test_trap_06_a_keyless_table_is_told_before_the_application_s_update_fails(database: Database) -> None:
    database.execute("CREATE TABLE log (line text)", "INSERT INTO log VALUES ('a')")
    found = points(database.dsn, "log")
    fix = faults(found)["replica identity of public.log"]
    assert fix == 'ALTER TABLE "public"."log" REPLICA IDENTITY FULL;'
    database.execute("CREATE PUBLICATION steno_test FOR TABLE log")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        database.execute("UPDATE log SET line = 'b'")
    database.execute(fix)
    database.execute("UPDATE log SET line = 'b'")
    assert faults(points(database.dsn, "log")) == {}


def test_a_partition_without_an_identity_is_told_by_its_own_name(database: Database) -> None:
    database.execute(
        "CREATE TABLE log (at int, line text) PARTITION BY RANGE (at)",
        "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10) TO (20)",
        "ALTER TABLE log_1 REPLICA IDENTITY FULL",
    )
    assert faults(points(database.dsn, "log")) == {
        "replica identity of public.log_2": 'ALTER TABLE "public"."log_2" REPLICA IDENTITY FULL;'
    }


def test_a_partitioned_table_that_capture_refuses_is_told(database: Database) -> None:
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (10)",
        "ALTER TABLE t REPLICA IDENTITY NOTHING",
    )
    fix = faults(points(database.dsn, "t"))["table public.t"]
    assert fix == 'ALTER TABLE "public"."t" REPLICA IDENTITY DEFAULT;'
    database.execute(fix)
    assert faults(points(database.dsn, "t")) == {}


@pytest.mark.parametrize(
    ("ddl", "state"),
    [
        ("ALTER TABLE t ADD PRIMARY KEY (id)", None),
        ("ALTER TABLE t ADD PRIMARY KEY (id); ALTER TABLE t REPLICA IDENTITY NOTHING", State.FAULT),
        ("ALTER TABLE t ADD PRIMARY KEY (id); ALTER TABLE t REPLICA IDENTITY FULL", None),
        ("ALTER TABLE t ADD PRIMARY KEY (id); ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey", None),
        ("ALTER TABLE t ADD PRIMARY KEY (id); ALTER TABLE t REPLICA IDENTITY USING INDEX other", State.FAULT),
        ("ALTER TABLE t ADD PRIMARY KEY (id) DEFERRABLE", State.FAULT),
        ("ALTER TABLE t REPLICA IDENTITY USING INDEX other", State.WARNING),
        ("ALTER TABLE t REPLICA IDENTITY USING INDEX other; DROP INDEX other", State.FAULT),
    ],
)
def test_each_replica_identity_is_judged_by_what_it_does(
    database: Database, ddl: str, state: State | None
) -> None:
    database.execute("CREATE TABLE t (id int, n int NOT NULL); CREATE UNIQUE INDEX other ON t (n)", ddl)
    named = [each for each in points(database.dsn, "t") if each.name == "replica identity of public.t"]
    assert [each.state for each in named] == ([] if state is None else [state])
    for each in named:
        assert each.fix is not None
        database.execute(each.fix)
        assert faults(points(database.dsn, "t")) == {}


def test_what_is_no_table_and_what_no_wal_holds_is_told(lead: Database) -> None:
    lead.execute("CREATE VIEW v AS SELECT 1 AS a", "CREATE UNLOGGED TABLE u (id int PRIMARY KEY)")
    found = faults(points(lead.dsn, "v", "u", "laed"))
    assert found["table public.u"] == 'ALTER TABLE "public"."u" SET LOGGED;'
    assert "did you mean public.lead?" in found["table public.laed"]
    assert "table public.v" in found


def test_rows_hidden_by_row_security_are_told(lead: Database) -> None:
    lead.execute("ALTER TABLE lead ENABLE ROW LEVEL SECURITY", "CREATE PUBLICATION steno_test FOR TABLE lead")
    with role(lead, "ALTER ROLE {role} REPLICATION", "GRANT SELECT ON lead TO {role}") as dsn:
        fix = faults(points(dsn, "lead"))["table public.lead"]
        lead.execute(fix)
        assert faults(points(dsn, "lead")) == {}


def test_generated_columns_and_locks_are_warnings(lead: Database) -> None:
    lead.execute(
        "ALTER TABLE lead ADD twice int GENERATED ALWAYS AS (id * 2) STORED",
        "CREATE PUBLICATION steno_test FOR TABLE lead",
    )
    with psycopg.connect(lead.dsn) as holder:
        holder.execute("LOCK TABLE lead IN ACCESS EXCLUSIVE MODE")
        found = points(lead.dsn, "lead")
        assert faults(found) == {}
        assert point(found, "slot").state is State.OK
        said = [each for each in found if each.name == "table public.lead"]
        assert [each.state for each in said] == [State.WARNING, State.WARNING]
        assert "twice" in said[0].sentence
        assert said[1].fix == f"SELECT pg_terminate_backend({holder.info.backend_pid});"


def test_a_generated_column_that_is_published_is_no_warning(lead: Database) -> None:
    lead.execute(
        "ALTER TABLE lead ADD twice int GENERATED ALWAYS AS (id * 2) STORED",
        "CREATE PUBLICATION steno_test FOR TABLE lead WITH (publish_generated_columns = stored)",
    )
    assert warned(points(lead.dsn, "lead")) == {"max_slot_wal_keep_size"}
    lead.execute("ALTER PUBLICATION steno_test SET (publish_generated_columns = none)")
    assert "table public.lead" in warned(points(lead.dsn, "lead"))


def test_a_slot_that_the_log_does_not_know_is_a_fault(lead: Database) -> None:
    lead.execute(f"SELECT pg_create_logical_replication_slot('steno_{lead.name}', 'pgoutput')")
    assert "steno capture --anew" in faults(points(lead.dsn, "lead"))["slot"]


def test_a_slot_that_is_gone_is_a_fault(lead: Database) -> None:
    with capturing(lead.dsn, "lead") as capture:
        capture.run_until_records(1)
        capture.close()
        drop_slot(lead)
        found = points(lead.dsn, "lead", stored=capture.stored)
        assert faults(found) == {"slot": "steno capture -p crm --anew"}


def test_a_slot_ahead_of_the_log_s_position_is_a_fault(lead: Database) -> None:
    with capturing(lead.dsn, "lead") as capture:
        capture.run_until_records(1)
        capture.close()
        until_idle(lead, capture)
        lead.execute("SET synchronous_commit = on; INSERT INTO lead VALUES (2)")
        lead.execute(
            "SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) FROM pg_replication_slots "
            "WHERE database = current_database()"
        )
        found = points(lead.dsn, "lead", stored=capture.stored)
        assert "advanced" in point(found, "slot").sentence
        assert faults(found) == {"slot": "steno capture -p crm --anew"}


def test_a_slot_that_the_server_invalidated_is_a_fault() -> None:
    with (
        own_server(max_slot_wal_keep_size="1MB", max_wal_size="32MB", min_wal_size="32MB") as (_, dsn),
        psycopg.connect(dsn, autocommit=True) as connection,
        capturing(dsn, "lead") as capture,
    ):
        connection.execute("INSERT INTO lead VALUES (1)")
        capture.run_until_records(1)
        capture.close()
        for _ in range(4):
            connection.execute(
                "SELECT pg_switch_wal(), pg_logical_emit_message(true, 'x', repeat('x', 10000000))"
            )
            connection.execute("CHECKPOINT")
        found = points(dsn, "lead", stored=capture.stored)
        assert "invalidated" in point(found, "slot").sentence
        assert faults(found) == {"slot": "steno capture -p crm --anew"}
        assert point(found, "max_slot_wal_keep_size").state is State.OK


def test_a_slot_that_the_next_checkpoint_may_take_is_a_fault_and_its_room_is_told() -> None:
    with (
        own_server(max_slot_wal_keep_size="1MB", max_wal_size="1GB") as (_, dsn),
        psycopg.connect(dsn, autocommit=True) as connection,
        capturing(dsn, "lead") as capture,
    ):
        connection.execute("INSERT INTO lead VALUES (1)")
        capture.run_until_records(1)
        found = points(dsn, "lead", stored=capture.stored)
        assert "It may keep" in point(found, "retained WAL").sentence
        capture.close()
        for _ in range(4):
            connection.execute(
                "SELECT pg_switch_wal(), pg_logical_emit_message(true, 'x', repeat('x', 10000000))"
            )
        found = points(dsn, "lead", stored=capture.stored)
        assert "The next checkpoint may take" in point(found, "retained WAL").sentence
        assert set(faults(found)) == {"retained WAL"}


def test_the_only_sender_is_enough_for_the_capture_that_has_it() -> None:
    slot = Slot("pgoutput", "crm", None, lost=False, confirmed=None)
    free = Capacity(10, 0, 1, 0, wal_kept_bytes=None, idle_limit=None, may_create=True)
    busy = replace(free, senders_used=1)
    assert judged(free, slot) is State.WARNING
    assert judged(busy, slot) is State.FAULT
    assert judged(busy, replace(slot, active_pid=7)) is State.WARNING


def judged(capacity: Capacity, slot: Slot) -> State:
    return point(list(capacity_points(capacity, slot)), "max_wal_senders").state


def test_a_server_without_a_free_slot_and_with_a_wrong_wal_level_is_told_both() -> None:
    with (
        own_server(max_replication_slots="1", wal_level="replica") as (_, dsn),
        psycopg.connect(dsn, autocommit=True) as connection,
    ):
        connection.execute("SELECT pg_create_physical_replication_slot('other')")
        found = faults(points(dsn, "lead"))
        assert found["max_replication_slots"].startswith("ALTER SYSTEM SET max_replication_slots = 11;")
        assert found["wal_level"].startswith("ALTER SYSTEM SET wal_level = 'logical';")


def test_another_server_than_the_log_s_position_speaks_of_is_a_fault(lead: Database) -> None:
    with own_server() as (_, dsn), capturing(dsn, "lead") as capture:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("INSERT INTO lead VALUES (1)")
        capture.run_until_records(1)
        found = faults(points(lead.dsn, "lead", stored=capture.stored))
        assert "steno capture --anew" in found["replication connection"]


def test_a_connection_that_breaks_in_the_middle_is_told_as_an_error_of_ours(lead: Database) -> None:
    going = examined(lead.dsn, settings_of(lead.dsn), [TableId("public", "lead")], lambda: None, "crm")
    assert next(iter(going)).name == "reachable"
    lead.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(SourceUnavailable):
        list(going)


def test_a_log_that_cannot_be_asked_leaves_the_other_points(lead: Database) -> None:
    def broken() -> Position | None:
        raise LogUnavailable("The log's file cannot be read or written now.", hint="Look at the disk.")

    ids = [TableId("public", "lead")]
    found = list(examined(lead.dsn, settings_of(lead.dsn), ids, broken, "crm"))
    assert faults(found) == {"slot": "Look at the disk."}


def test_a_transaction_that_a_first_capture_would_wait_for_is_named_once_it_is_old(
    lead: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stenograph.sources.postgres.checkup.slot.OLD_SECONDS", 0.0)
    with psycopg.connect(lead.dsn) as writer:
        writer.execute("INSERT INTO lead VALUES (7)")
        assert point(points(lead.dsn, "lead"), "transactions").state is State.WARNING


def test_an_embedded_server_that_does_not_run_is_not_started(tmp_path: Path) -> None:
    settings = PostgresSettings.model_validate({"kind": "postgres", "name": "crm", "dsn": "embedded:pg"})
    adapter = PostgresAdapter(settings, Site("crm", tmp_path))
    (only,) = adapter.checkup([TableId("public", "lead")], lambda: None).examine()
    assert (only.state, "steno run" in only.sentence) == (State.OK, True)
    assert list(tmp_path.iterdir()) == []


def test_an_embedded_server_that_runs_is_looked_at_and_goes_on() -> None:
    with own_server() as (folder, _):
        settings = PostgresSettings.model_validate(
            {"kind": "postgres", "name": "crm", "dsn": f"embedded:{folder}"}
        )
        adapter = PostgresAdapter(settings, Site("crm", folder))
        found = list(adapter.checkup([TableId("public", "lead")], lambda: None).examine())
        assert found[0].name == "reachable"
        assert len(found) > 10
        assert is_running(folder)


def until_idle(database: Database, capture: Capturing) -> list[Diagnosis]:
    """The points once the server has noticed that the capture is gone."""
    deadline = time.monotonic() + 20
    while True:
        (active,) = database.fetch(
            "SELECT bool_or(active) FROM pg_replication_slots WHERE database = current_database()"
        )[0]
        if not active:
            return points(database.dsn, "lead", stored=capture.stored)
        assert time.monotonic() < deadline, "the slot stays in use"
