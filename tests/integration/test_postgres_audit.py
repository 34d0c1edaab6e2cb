"""The audit of a Postgres source: rows at one position, and whether the log has reached it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pyarrow as pa

from stenograph.envelope.mapping import RowMapping
from stenograph.events import TableId
from stenograph.schemas import TablePlan
from stenograph.sources.postgres.audit import PostgresAudit, open_audit
from stenograph.sources.postgres.position import resume_point
from tests.capturing import Capturing, capturing
from tests.fix_postgres import Database

LEAD = TableId("public", "lead")
PLAN = TablePlan("crm", LEAD, "crm.public.lead", "public_lead_history")


@contextmanager
def auditing(capture: Capturing) -> Iterator[PostgresAudit]:
    audit = open_audit(capture.dsn, capture.settings, capture.tables, capture.stored)
    try:
        yield audit
    finally:
        audit.close()


def read(capture: Capturing) -> None:
    capture.run_until(
        lambda: (
            capture.stored is not None
            and any(m.reading.value == "read" for m in resume_point(capture.stored).tables.values())
        )
    )


def wait_until_free(database: Database) -> None:
    """Until the server has noticed that the capture is gone."""
    deadline = time.monotonic() + 20
    while database.fetch(
        "SELECT 1 FROM pg_replication_slots WHERE database = current_database() AND active AND NOT temporary"
    ):
        assert time.monotonic() < deadline


def test_the_rows_are_those_of_the_audits_instant_mapped_as_the_sink_maps_them(database: Database) -> None:
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY, amount numeric(8,2), at timestamptz, tags text[])",
        "INSERT INTO lead VALUES (1, 1.50, '2024-01-01 00:00:00+00', '{a,NULL}'), (2, 'NaN', NULL, NULL)",
    )
    with capturing(database.dsn, "lead") as capture:
        read(capture)
        with auditing(capture) as audit:
            database.execute("INSERT INTO lead VALUES (3)")
            event = capture.events()[0]
            assert event.after is not None
            columns = capture.columns("crm.public.lead")
            mapping = RowMapping(PLAN, columns, ("id",))
            rows = pa.concat_tables(audit.rows(PLAN, mapping.shape)).to_pylist()
        assert [(row["id"], row["amount"], row["tags"]) for row in rows] == [
            (1, Decimal("1.50"), ["a", None]),
            (2, None, None),
        ]


def test_without_a_capture_the_position_is_reached_where_no_change_waits(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY); CREATE TABLE other (id int)")
    with capturing(database.dsn, "lead") as capture:
        read(capture)
        capture.close()
        database.execute("INSERT INTO other VALUES (1)")
        with auditing(capture) as audit:
            wait_until_free(database)
            assert audit.reached(capture.stored)
        database.execute("INSERT INTO lead VALUES (1)")
        with auditing(capture) as audit:
            assert not audit.reached(capture.stored)
            capture.run_until(lambda: audit.reached(capture.stored))


def test_a_table_that_waits_to_be_read_is_not_checked(database: Database) -> None:
    database.execute("CREATE TABLE lead (id int PRIMARY KEY)")
    with capturing(database.dsn, "lead") as capture:
        with auditing(capture) as audit:
            assert set(audit.unchecked(None)) == {LEAD}
        read(capture)
        database.execute("DROP TABLE lead; CREATE TABLE lead (id int PRIMARY KEY)")
        with auditing(capture) as audit:
            assert set(audit.unchecked(capture.stored)) == {LEAD}
