"""What the Postgres source refuses, and the next step that each refusal names."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from stenograph.envelope.gap import ReadGap
from stenograph.errors import (
    ConfigurationError,
    SourceHistoryLost,
    SourceRefused,
    SourceRewound,
    SourceUnavailable,
    StenographError,
)
from stenograph.events import Op
from stenograph.offsets import Position
from stenograph.ports import Start
from stenograph.sources.postgres.lsn import lsn_text
from stenograph.sources.postgres.position import ResumePoint, resume_point
from stenograph.sources.postgres.server import EmbeddedServer, stop
from tests.capturing import Capturing, capturing
from tests.fix_postgres import Database

PASSWORD = "s3cret-of-the-role"


@pytest.fixture
def lead(database: Database) -> Database:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)", "INSERT INTO lead VALUES (1)")
    return database


def refused(dsn: str, *tables: str) -> StenographError:
    """What opening a capture says."""
    with capturing(dsn, *tables) as capture, pytest.raises(StenographError) as refusal:
        capture.open()
    said = f"{refusal.value} {refusal.value.hint} {refusal.value.__cause__} {refusal.value.facts}"
    assert PASSWORD not in said
    return refusal.value


@contextmanager
def role(database: Database, *rights: str) -> Iterator[str]:
    """The DSN of a role that may log in, with these statements run for it (as {role})."""
    name = f"role_{database.name}"
    database.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    try:
        database.execute(*(right.format(role=name) for right in rights))
        facts = conninfo_to_dict(database.dsn)
        yield f"postgresql://{name}:{PASSWORD}@{facts['host']}:{facts['port']}/{database.name}"
    finally:
        database.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    refusal = refused(f"postgresql://u:{PASSWORD}@127.0.0.1:1/db", "lead")
    assert isinstance(refusal, SourceUnavailable)
    assert refusal.facts["port"] == "1"


def test_a_dsn_that_cannot_be_read_is_not_repeated() -> None:
    assert isinstance(refused(f"postgresql://u:{PASSWORD}@h:x{PASSWORD}/db", "lead"), ConfigurationError)


def test_trap_21_a_wrong_password_is_refused_and_never_repeated(lead: Database) -> None:
    with role(lead) as dsn:
        facts = conninfo_to_dict(dsn)
        wrong = f"postgresql://{facts['user']}:{PASSWORD}x@{facts['host']}:{facts['port']}/{lead.name}"
        refusal = refused(wrong, "lead")
    assert isinstance(refusal, SourceRefused)
    assert "password" in str(refusal)


def test_a_wrong_database_is_refused(lead: Database) -> None:
    refusal = refused(lead.dsn + "_no", "lead")
    assert isinstance(refusal, SourceRefused)
    assert "no database of that name" in str(refusal)


def test_a_role_that_may_not_replicate_is_told_the_statement(lead: Database) -> None:
    with role(lead) as dsn:
        refusal = refused(dsn, "lead")
        assert isinstance(refusal, SourceRefused)
        assert f'ALTER ROLE "role_{lead.name}" REPLICATION;' in refusal.hint


def test_a_role_that_may_not_read_a_table_is_told_the_statement(lead: Database) -> None:
    with role(lead, "ALTER ROLE {role} REPLICATION") as dsn:
        refusal = refused(dsn, "lead")
        assert f'GRANT SELECT ON "public"."lead" TO "role_{lead.name}";' in refusal.hint
        assert refusal.facts["tables"] == "public.lead"


def test_a_role_that_may_not_make_the_publication_is_told_the_statement(lead: Database) -> None:
    with role(lead, "ALTER ROLE {role} REPLICATION", "GRANT SELECT ON lead TO {role}") as dsn:
        with capturing(dsn, "lead") as capture, pytest.raises(SourceRefused) as refusal:
            capture.run_until(lambda: False)
        options = "WITH (publish_via_partition_root = true)"
        statement = f'CREATE PUBLICATION "steno_test" FOR TABLE "public"."lead" {options};'
        assert statement in refusal.value.hint
        lead.execute(statement)
        with capturing(dsn, "lead") as capture:
            capture.run_until_records(1)


def test_all_missing_tables_are_named_at_once_with_what_was_probably_meant(lead: Database) -> None:
    refusal = refused(lead.dsn, "leads", "lead", "nothing_like_it")
    assert refusal.facts["tables"] == "public.leads, public.nothing_like_it"
    assert "public.leads: did you mean public.lead?" in refusal.hint


def test_a_view_is_refused(lead: Database) -> None:
    lead.execute("CREATE VIEW leads AS TABLE lead")
    assert "public.leads is a view" in str(refused(lead.dsn, "leads"))


def test_an_identity_that_hides_key_changes_is_refused(lead: Database) -> None:
    lead.execute("ALTER TABLE lead REPLICA IDENTITY NOTHING")
    assert 'ALTER TABLE "public"."lead" REPLICA IDENTITY DEFAULT;' in refused(lead.dsn, "lead").hint


def test_a_publication_that_leaves_out_changes_is_refused(lead: Database) -> None:
    lead.execute("CREATE PUBLICATION steno_test FOR TABLE lead WITH (publish = 'insert')")
    assert "SET (publish = 'insert, update, delete, truncate');" in refused(lead.dsn, "lead").hint


def test_a_slot_that_the_log_does_not_know_is_refused_and_replaced_only_on_demand(lead: Database) -> None:
    with capturing(lead.dsn, "lead") as capture:
        capture.run_until_records(1)
        capture.close()
        first = resume_point(capture.positions[-1])
        capture.positions.clear()
        with pytest.raises(SourceRefused) as refusal:
            capture.open()
        assert "steno capture --anew" in refusal.value.hint
        capture.open(Start.ANEW)
        capture.run_until_records(3)
        assert [e.op for e in capture.events()] == [Op.SNAPSHOT, Op.TRUNCATE, Op.SNAPSHOT]
        assert capture.stored is not None
        assert resume_point(capture.stored).run >= first.run


def test_trap_16_a_slot_in_use_is_refused_with_the_pid_that_uses_it(lead: Database) -> None:
    with capturing(lead.dsn, "lead") as capture:
        capture.run_until_records(1)
        with capturing(lead.dsn, "lead") as second:
            second.positions = list(capture.positions)
            with pytest.raises(SourceRefused) as refusal:
                second.open()
            assert f"pg_terminate_backend({refusal.value.facts['active_pid']})" in refusal.value.hint


def lost(capture: Capturing) -> SourceHistoryLost:
    """What the capture says after it has written the gap into the log, twice: the second record is a duplicate."""
    for _ in range(2):
        capture.close()
        with pytest.raises(SourceHistoryLost) as loss:
            capture.run_until(lambda: False)
    first, second = (record for record in capture.records if capture.is_gap(record))
    assert (first.lane, first.order, first.topic) == (second.lane, second.order, "crm.message")
    assert "steno capture --anew" in loss.value.hint
    return loss.value


def test_trap_17_a_missing_slot_is_a_gap_and_then_an_error(lead: Database) -> None:
    with capturing(lead.dsn, "lead") as capture:
        capture.run_until_records(1)
        capture.close()
        drop_slot(lead)
        at = point(capture)
        lost(capture)
        expected = ReadGap(
            "crm", None, lsn_text(at.lsn), "", "the replication slot is gone", at.last_committed_at
        )
        assert capture.gaps()[0] == expected


def drop_slot(database: Database) -> None:
    slots = "FROM pg_replication_slots WHERE database = current_database()"
    with database.connect() as connection:
        while connection.execute(f"SELECT 1 {slots}").fetchone() is not None:
            # The server notices within moments that the capture has gone.
            with suppress(psycopg.errors.ObjectInUse):
                connection.execute(f"SELECT pg_drop_replication_slot(slot_name) {slots}")


def test_a_slot_ahead_of_the_stored_position_is_a_gap_and_then_an_error(lead: Database) -> None:
    with capturing(lead.dsn, "lead") as capture:
        capture.run_until_records(1)
        capture.close()
        lead.execute("SET synchronous_commit = on; INSERT INTO lead VALUES (2)")
        lead.execute(
            "SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) FROM pg_replication_slots "
            "WHERE database = current_database()"
        )
        lost(capture)
        gap = capture.gaps()[0]
        assert gap is not None
        ((confirmed,),) = lead.fetch(
            "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE database = current_database()"
        )
        assert (gap.after, gap.before) == (lsn_text(point(capture).lsn), confirmed)


def test_a_run_begun_anew_after_a_loss_records_the_gap_up_to_its_own_beginning(lead: Database) -> None:
    with capturing(lead.dsn, "lead") as capture:
        capture.run_until_records(1)
        before = point(capture)
        capture.close()
        drop_slot(lead)
        capture.open(Start.ANEW)
        capture.run_until_records(4)
        (gap,) = capture.gaps()
        assert gap is not None
        assert gap.after == lsn_text(before.lsn)
        assert gap.before != ""
        assert [e.op for e in capture.events()] == [Op.SNAPSHOT, Op.TRUNCATE, Op.SNAPSHOT]
        assert point(capture).run > before.run


def point(capture: Capturing) -> ResumePoint:
    assert capture.stored is not None
    return resume_point(capture.stored)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"system": "1"}, "another one"),
        ({"timeline": 9}, "branched"),
        ({"lsn": 2**60}, "older state"),
    ],
)
def test_trap_24_another_server_or_an_older_state_of_it_is_refused(
    lead: Database, changed: dict[str, str | int], said: str
) -> None:
    with capturing(lead.dsn, "lead") as capture:
        capture.run_until_records(1)
        capture.close()
        assert capture.stored is not None
        facts = json.loads(capture.stored.resume) | changed
        capture.positions[:] = [replace(capture.stored, resume=json.dumps(facts).encode())]
        with pytest.raises(SourceRewound, match=said):
            capture.open()


def test_a_position_of_another_version_is_refused(lead: Database) -> None:
    with capturing(lead.dsn, "lead") as capture:
        capture.positions.append(Position(b"", b'{"version": 99}'))
        with pytest.raises(SourceRefused, match="position_version=99"):
            capture.open()


@contextmanager
def own_server(**settings: str) -> Iterator[tuple[Path, str]]:
    """A server of its own with these settings: its folder and DSN."""
    # Not pytest's own folder: its mode 700 would keep out the user whom root becomes.
    folder = Path(tempfile.mkdtemp(prefix="steno-test-own-"))
    folder.chmod(0o711)
    try:
        with EmbeddedServer(folder / "pg", "crm", {"fsync": "off", **settings}) as dsn:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS lead (id int PRIMARY KEY)")
            yield folder / "pg", dsn
    finally:
        shutil.rmtree(folder)


def test_a_server_without_logical_wal_is_refused() -> None:
    with own_server(wal_level="replica") as (_, dsn):
        assert "ALTER SYSTEM SET wal_level = 'logical';" in refused(dsn, "lead").hint


def test_a_standby_is_refused() -> None:
    with own_server() as (folder, dsn):
        with psycopg.connect(dsn) as connection:
            ((data,),) = connection.execute("SHOW data_directory").fetchall()
        stop(folder)
        signal_file = Path(data) / "standby.signal"
        signal_file.touch()
        shutil.chown(signal_file, Path(data).owner())
        with EmbeddedServer(folder, "crm") as again:
            assert "name the primary" in refused(again, "lead").hint


def test_a_server_without_a_free_slot_is_refused() -> None:
    with (
        own_server(max_replication_slots="1") as (_, dsn),
        psycopg.connect(dsn, autocommit=True) as connection,
    ):
        connection.execute("SELECT pg_create_physical_replication_slot('other')")
        with capturing(dsn, "lead") as capture, pytest.raises(SourceRefused) as refusal:
            capture.run_until(lambda: False)
        assert "max_replication_slots" in refusal.value.hint


def test_trap_15_a_slot_that_the_server_invalidated_is_a_gap_and_then_an_error() -> None:
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
        assert connection.execute("SELECT wal_status FROM pg_replication_slots").fetchall() == [("lost",)]
        assert "invalidated" in str(lost(capture))
