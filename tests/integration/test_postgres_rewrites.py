"""Rows that DDL changes without an event: noticed, recorded, read again, and never cried about without reason."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from stenograph.envelope.gap import ReadGap
from stenograph.events import Op, TableId
from stenograph.offsets import Position
from stenograph.ports import ReadRequest
from stenograph.schemas import OnRewrite
from stenograph.sources.postgres import watch
from stenograph.sources.postgres.lsn import lsn_of
from stenograph.sources.postgres.position import ResumePoint, TableMark, resume_point
from tests.capturing import Capturing, capturing
from tests.fix_postgres import Database

LEAD = TableId("public", "lead")
SOON = timedelta(milliseconds=50)
PLAIN = (
    "CREATE TABLE lead (id int PRIMARY KEY, v int, code varchar(10))",
    "INSERT INTO lead SELECT n, n, 'c' || n FROM generate_series(1, 5) n",
)
RANGES = (
    "CREATE TABLE lead (id int PRIMARY KEY, v int) PARTITION BY RANGE (id)",
    "CREATE TABLE lead_0 PARTITION OF lead FOR VALUES FROM (0) TO (10)",
    "CREATE TABLE lead_1 PARTITION OF lead FOR VALUES FROM (10) TO (20)",
    "INSERT INTO lead VALUES (1, 1), (2, 2), (11, 11)",
)


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(watch, "COMPARE_SECONDS", 0.1)


def resume(capture: Capturing) -> ResumePoint:
    assert capture.stored is not None
    return resume_point(capture.stored)


def mark(capture: Capturing) -> TableMark:
    return resume(capture).tables[LEAD]


def is_read(capture: Capturing, attempt: int = 1) -> bool:
    if capture.stored is None or LEAD not in resume(capture).tables:
        return False
    return mark(capture).reading.value == "read" and mark(capture).attempt >= attempt


def read(capture: Capturing) -> None:
    """Run until the table is read for the first time, and looked at since."""
    capture.run_until(lambda: is_read(capture))
    looked(capture)


def looked(capture: Capturing) -> None:
    """Run until the table has been compared with its mark once more."""
    source = capture.source or capture.open()
    capture.run_until(lambda: source._reading is None)
    source._watch.hurry()
    before = source._watch._compared_at
    capture.run_until(lambda: source._watch._compared_at != before)
    for _ in range(3):
        capture.step()


def stale(capture: Capturing) -> list[ReadGap]:
    return [gap for gap in capture.gaps() if gap is not None and gap.repaired_by is None]


def mended(capture: Capturing) -> list[ReadGap]:
    return [gap for gap in capture.gaps() if gap is not None and gap.repaired_by is not None]


def state_of(capture: Capturing) -> dict[object, dict[str, object]]:
    """The rows that the events leave, by id."""
    state: dict[object, dict[str, object]] = {}
    for event in capture.events():
        match event.op:
            case Op.TRUNCATE:
                state.clear()
            case Op.DELETE:
                assert event.key is not None
                state.pop(event.key["id"], None)
            case _:
                assert event.after is not None
                state[event.after["id"]] = dict(event.after)
    return state


REWRITES = {
    "add-default": "ALTER TABLE lead ADD COLUMN extra int DEFAULT 7",
    "add-default-not-null": "ALTER TABLE lead ADD COLUMN extra int NOT NULL DEFAULT 7",
    "add-volatile-default": "ALTER TABLE lead ADD COLUMN extra float8 DEFAULT random()",
    "add-identity": "ALTER TABLE lead ADD COLUMN extra bigint GENERATED ALWAYS AS IDENTITY",
    "add-default-then-rewrite": "ALTER TABLE lead ADD COLUMN extra int DEFAULT 7; CLUSTER lead USING lead_pkey",
    "type-using": "ALTER TABLE lead ALTER COLUMN v TYPE text USING 'no ' || v",
    "same-type-using": "ALTER TABLE lead ALTER COLUMN v TYPE int USING v * 100",
    "shorter": "ALTER TABLE lead ALTER COLUMN code TYPE varchar(1) USING left(code, 1)",
    "generated-becomes-plain": "ALTER TABLE lead ALTER COLUMN twice DROP EXPRESSION",
}


@pytest.mark.parametrize("statement", REWRITES.values(), ids=REWRITES)
def test_trap_23_a_rewrite_is_recorded_and_read_again(database: Database, statement: str) -> None:
    database.execute(*PLAIN, "ALTER TABLE lead ADD COLUMN twice int GENERATED ALWAYS AS (id * 2) STORED")
    with capturing(database.dsn, "lead") as capture:
        read(capture)
        database.execute(statement)
        capture.run_until(lambda: len(mended(capture)) == 1)
        (gap,) = stale(capture)
        assert (gap.table, gap.after < gap.before) == ("public.lead", True)
        assert gap.cause.startswith("rows changed without an event: column ")
        assert mended(capture)[0].repaired_by == resume(capture).run
        assert (mark(capture).stale, mark(capture).attempt) == (None, 2)
        columns = ", ".join(next(iter(state_of(capture).values())))
        rows = database.fetch(f"SELECT {columns} FROM lead ORDER BY id")
        assert len(rows) == 5
        assert sorted((tuple(row.values()) for row in state_of(capture).values()), key=str) == rows
        # Once: what was read is what it is compared with from then on.
        looked(capture)
        assert len(stale(capture)) == 1


HARMLESS = {
    "add-column": "ALTER TABLE lead ADD COLUMN extra int",
    "add-column-later-default": "ALTER TABLE lead ADD COLUMN extra int; ALTER TABLE lead ALTER extra SET DEFAULT 7",
    "drop-column": "ALTER TABLE lead DROP COLUMN v",
    "rename-column": "ALTER TABLE lead RENAME COLUMN v TO w",
    "analyze": "ANALYZE lead",
    "longer": "ALTER TABLE lead ALTER COLUMN code TYPE varchar(20)",
    "varchar-to-text": "ALTER TABLE lead ALTER COLUMN code TYPE text",
    "not-null": "ALTER TABLE lead ALTER COLUMN v SET NOT NULL",
    "index": "CREATE INDEX ON lead (v)",
    "generated-column": "ALTER TABLE lead ADD COLUMN twice int GENERATED ALWAYS AS (v * 2) STORED",
    "new-label": "ALTER TYPE mood ADD VALUE 'soso' BEFORE 'sad'",
    "truncate": "TRUNCATE lead",
}


@pytest.mark.parametrize("statement", HARMLESS.values(), ids=HARMLESS)
def test_trap_23_what_changes_no_row_is_no_rewrite(database: Database, statement: str) -> None:
    database.execute(
        "CREATE TYPE mood AS ENUM ('happy', 'sad')", *PLAIN, "ALTER TABLE lead ADD COLUMN m mood"
    )
    with capturing(database.dsn, "lead") as capture:
        read(capture)
        database.execute(statement)
        looked(capture)
        # Moving the rows to another file comes later, as a nightly job would.
        database.execute("VACUUM FULL lead")
        looked(capture)
        database.execute("INSERT INTO lead (id) VALUES (100)" if "v SET" not in statement else "SELECT 1")
        looked(capture)
        assert capture.gaps() == []
        assert mark(capture).attempt == 1


def test_trap_23_vacuum_full_after_a_default_was_read_is_no_rewrite(database: Database) -> None:
    database.execute(*PLAIN)
    with capturing(database.dsn, "lead") as capture:
        read(capture)
        database.execute("ALTER TABLE lead ADD COLUMN extra int DEFAULT 7")
        capture.run_until(lambda: len(mended(capture)) == 1)
        looked(capture)
        database.execute("VACUUM FULL lead")
        looked(capture)
        assert len(stale(capture)) == 1
        assert mark(capture).attempt == 2


def test_trap_23_a_renamed_label_changes_what_rows_say(database: Database) -> None:
    database.execute(
        "CREATE TYPE mood AS ENUM ('happy', 'sad')",
        "CREATE TABLE lead (id int PRIMARY KEY, m mood); INSERT INTO lead VALUES (1, 'sad')",
    )
    with capturing(database.dsn, "lead") as capture:
        read(capture)
        database.execute("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'")
        capture.run_until(lambda: len(mended(capture)) == 1)
        assert state_of(capture) == {1: {"id": 1, "m": "blue"}}


PUBLISHED = {
    "column": "ALTER PUBLICATION steno_test SET TABLE lead (id, v, code) WHERE (v > 2)",
    "filter": "ALTER PUBLICATION steno_test SET TABLE lead (id, v) WHERE (v > 1)",
}


@pytest.mark.parametrize("statement", PUBLISHED.values(), ids=PUBLISHED)
def test_trap_23_what_the_publication_sends_from_now_on_is_read(database: Database, statement: str) -> None:
    database.execute(
        *PLAIN,
        # The filter reads a column that updates must carry.
        "ALTER TABLE lead REPLICA IDENTITY FULL",
        "CREATE PUBLICATION steno_test FOR TABLE lead (id, v) WHERE (v > 2)"
        " WITH (publish_via_partition_root = true)",
    )
    with capturing(database.dsn, "lead") as capture:
        read(capture)
        assert set(state_of(capture)) == {3, 4, 5}
        assert stale(capture) == []
        database.execute(statement)
        capture.run_until(lambda: len(mended(capture)) == 1)
        expected = {"code": "c3"} if "code" in statement else {}
        assert state_of(capture)[3] == {"id": 3, "v": 3, **expected}
        assert len(state_of(capture)) == (3 if expected else 4)


PARTITIONS = {
    "attached": "CREATE TABLE p (id int NOT NULL, v int); INSERT INTO p VALUES (21, 21);"
    " ALTER TABLE lead ATTACH PARTITION p FOR VALUES FROM (20) TO (30)",
    "attached-later": "CREATE TABLE p AS SELECT 21 AS id, 21 AS v; ALTER TABLE p ALTER id SET NOT NULL|"
    "ALTER TABLE lead ATTACH PARTITION p FOR VALUES FROM (20) TO (30)",
    "attached-tree": "CREATE TABLE p (id int NOT NULL, v int) PARTITION BY RANGE (id);"
    " CREATE TABLE p_0 PARTITION OF p FOR VALUES FROM (20) TO (30); INSERT INTO p VALUES (21, 21);"
    " ALTER TABLE lead ATTACH PARTITION p FOR VALUES FROM (20) TO (30)",
    "detached": "ALTER TABLE lead DETACH PARTITION lead_1",
    "dropped": "DROP TABLE lead_1",
    "truncated": "TRUNCATE lead_1",
    "add-default": "ALTER TABLE lead ADD COLUMN extra int DEFAULT 7",
    "type-using": "ALTER TABLE lead ALTER COLUMN v TYPE int USING v * 100",
}


@pytest.mark.parametrize("statement", PARTITIONS.values(), ids=PARTITIONS)
def test_trap_23_a_partition_that_comes_or_goes_with_its_rows_is_noticed(
    database: Database, statement: str
) -> None:
    database.execute(*RANGES)
    with capturing(database.dsn, "lead") as capture:
        read(capture)
        database.execute(*statement.split("|"))
        capture.run_until(lambda: len(mended(capture)) == 1)
        assert len(stale(capture)) == 1
        rows = database.fetch("SELECT * FROM lead ORDER BY id")
        assert [tuple(row.values()) for _, row in sorted(state_of(capture).items(), key=str)] == sorted(
            rows, key=str
        )


def test_trap_23_a_partition_that_is_locked_is_not_taken_for_one_that_agrees(database: Database) -> None:
    database.execute(*RANGES)
    with capturing(database.dsn, "lead") as capture, database.connect() as application:
        read(capture)
        ((before,),) = database.fetch("SELECT pg_current_wal_insert_lsn()::text")
        database.execute(PARTITIONS["attached"])
        with application.transaction():
            application.execute("LOCK TABLE p IN ACCESS EXCLUSIVE MODE")
            looked(capture)
            assert stale(capture) == []
        capture.run_until(lambda: len(stale(capture)) == 1)
        assert lsn_of(stale(capture)[0].after) <= lsn_of(str(before))


def test_trap_23_partitions_that_come_empty_are_no_rewrite(database: Database) -> None:
    database.execute(*RANGES)
    with capturing(database.dsn, "lead") as capture:
        read(capture)
        capture.close()
        # Nobody looks before they are filled: through the table, as events.
        database.execute(
            "CREATE TABLE lead_2 PARTITION OF lead FOR VALUES FROM (20) TO (30)",
            "CREATE TABLE lead_3 (LIKE lead INCLUDING ALL);"
            " ALTER TABLE lead ATTACH PARTITION lead_3 FOR VALUES FROM (30) TO (40)",
            "INSERT INTO lead VALUES (21, 21)",
        )
        looked(capture)
        database.execute("INSERT INTO lead VALUES (31, 31)", "VACUUM FULL lead_1", "TRUNCATE lead")
        looked(capture)
        capture.run_until(lambda: state_of(capture) == {})
        assert capture.gaps() == []


def test_trap_23_a_table_that_is_only_marked_stays_stale_until_somebody_asks(database: Database) -> None:
    database.execute(*PLAIN)
    with capturing(database.dsn, "lead") as capture:
        capture.on_rewrite = {LEAD: OnRewrite.MARK}
        read(capture)
        database.execute("ALTER TABLE lead ADD COLUMN extra int DEFAULT 7")
        capture.run_until(lambda: len(stale(capture)) == 1)
        database.execute("UPDATE lead SET v = 0 WHERE id = 1")
        capture.run_until(lambda: state_of(capture)[1]["v"] == 0)
        looked(capture)
        assert mark(capture).stale is not None
        assert (mended(capture), "extra" in state_of(capture)[2]) == ([], False)
        # A second rewrite before anybody acts is recorded too; history agreed with the table before the first.
        database.execute("ALTER TABLE lead ADD COLUMN more int DEFAULT 8")
        capture.run_until(lambda: len(stale(capture)) == 2)
        assert stale(capture)[0].after == stale(capture)[1].after
        capture.requests.ask(ReadRequest(LEAD, 1))
        capture.run_until(lambda: len(mended(capture)) == 1)
        assert state_of(capture)[2] == {"id": 2, "v": 2, "code": "c2", "extra": 7, "more": 8}
        assert mark(capture).stale is None


def test_trap_23_a_rewrite_while_no_capture_runs_is_noticed(database: Database) -> None:
    database.execute(*PLAIN)
    with capturing(database.dsn, "lead") as capture:
        read(capture)
        capture.close()
        database.execute("ALTER TABLE lead ADD COLUMN extra int DEFAULT 7", "VACUUM FULL lead")
        capture.run_until(lambda: len(mended(capture)) == 1)
        assert {row["extra"] for row in state_of(capture).values()} == {7}


def test_trap_23_a_capture_killed_in_every_step_of_a_rewrite_reads_the_table_again(
    database: Database,
) -> None:
    database.execute(*PLAIN)
    with capturing(database.dsn, "lead") as capture:
        capture.limit = 2
        read(capture)
        database.execute("ALTER TABLE lead ADD COLUMN extra int DEFAULT 7")
        killed = 0
        while not mended(capture):
            source = capture.source or capture.open()
            batch = source.poll(capture.limit, SOON)
            capture.append(batch)
            if batch.upto is not None and killed < 6:
                # The log holds the batch, and nobody was told.
                capture.close()
                killed += 1
            elif batch.upto is not None:
                source.acknowledge(batch.upto)
        assert killed == 6
        assert len(stale(capture)) == 1
        assert {row["extra"] for row in state_of(capture).values()} == {7}


def test_changes_go_on_while_a_table_is_read_again(database: Database) -> None:
    database.execute(*PLAIN)
    with capturing(database.dsn, "lead") as capture:
        read(capture)
        with database.connect() as application:
            # A transaction that is open keeps the server from making the snapshot.
            application.autocommit = False
            application.execute("CREATE TABLE other (id int)")
            capture.requests.ask(ReadRequest(LEAD, 1))
            capture.run_until(lambda: mark(capture).reading.value == "again")
            database.execute(*(f"UPDATE lead SET v = {n} WHERE id = 1" for n in range(100, 110)))
            for _ in range(5):
                capture.step()
            application.rollback()
        capture.run_until(lambda: is_read(capture, attempt=2))
        lives = [e.after["v"] for e in capture.events() if e.after is not None and e.after["id"] == 1]
        assert lives == [1, *range(100, 110), 109]


def test_a_request_is_fulfilled_once_whatever_is_killed(database: Database) -> None:
    database.execute(*PLAIN)
    with capturing(database.dsn, "lead") as capture:
        read(capture)
        capture.requests.ask(ReadRequest(LEAD, 1))
        capture.requests.ask(ReadRequest(LEAD, 2))
        capture.run_until(lambda: mark(capture).request == 2)
        capture.close()
        capture.run_until(lambda: is_read(capture) and not capture.requests.kept)
        attempt = mark(capture).attempt
        looked(capture)
        assert (mark(capture).attempt, mark(capture).request) == (attempt, 2)


def test_a_position_of_the_version_before_is_read_and_written_anew(database: Database) -> None:
    database.execute(*PLAIN)
    with capturing(database.dsn, "lead") as capture:
        read(capture)
        capture.close()
        assert capture.stored is not None
        capture.positions[-1] = as_version_1(capture.stored)
        assert mark(capture).layout is None
        database.execute("INSERT INTO lead VALUES (6, 6, 'c6')")
        capture.run_until(lambda: 6 in state_of(capture))
        looked(capture)
        assert capture.gaps() == []
        assert mark(capture).layout is not None


def as_version_1(position: Position) -> Position:
    facts = json.loads(position.resume)
    facts["version"] = 1
    for table in facts["tables"]:
        del table["layout"]
    return Position(position.order, json.dumps(facts).encode())
