"""What must survive a kill in one piece: large statements, truncates, snapshots and a writing source."""

from __future__ import annotations

import random
import threading
import time

import pytest

from stenograph.assembly import console
from tests.crash.failpoints import NOWHERE, Failpoint
from tests.crash.journal import Journal
from tests.crash.site import Site, until
from tests.fix_postgres import Database

COPIED = 10_000
COPY_LIMIT = 1_500
"""One COPY takes many appends, all before the position moves."""


def _read_tables(site: Site) -> None:
    with site.running("capture"):
        site.until_read()


def _copy(database: Database, rows: int) -> None:
    with (
        database.connect() as connection,
        connection.cursor() as cursor,
        cursor.copy(b"COPY lead FROM STDIN") as copy,
    ):
        for number in range(rows):
            copy.write_row((number, f"lead {number}", 0))


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(
    "points",
    [
        [Failpoint("INSERT INTO segments in log.append", 11)],
        [Failpoint("before source.acknowledge")],
        [
            Failpoint("after log.append", 3),
            Failpoint("COMMIT in log.append", 7),
            Failpoint("INSERT INTO segments in log.append", 23),
        ],
    ],
    ids=lambda points: ", ".join(map(str, points)),
)
def test_a_copy_of_ten_thousand_rows_arrives_whole_and_once(
    points: list[Failpoint], site: Site, database: Database
) -> None:
    _read_tables(site)
    database.execute("DELETE FROM lead")
    _copy(database, COPIED)
    for point in points:
        site.die("capture", point, COPY_LIMIT)
    site.prove()
    ((created, distinct),) = site.query(
        "SELECT count(*), count(DISTINCT id) FROM public_lead_history WHERE _steno_op = 'create'"
    )
    ((at_the_source,),) = database.fetch("SELECT count(*) FROM lead")
    assert created == distinct == at_the_source == COPIED


@pytest.mark.usefixtures("journal")
def test_a_copy_killed_in_the_sink_arrives_whole_and_once(site: Site, database: Database) -> None:
    with site.running("capture"):
        site.until_read()
        database.execute("DELETE FROM lead")
        _copy(database, COPIED)
        site.until_captured()
    for point in (
        Failpoint("statement 4 of warehouse.append", 5),
        Failpoint("statement 6 of warehouse.append", 3),
    ):
        site.die("sink", point, COPY_LIMIT)
    site.prove()
    assert site.query("SELECT count(*) FROM public_lead_history WHERE _steno_op = 'create'") == [(COPIED,)]


@pytest.mark.parametrize(
    ("of_capture", "of_sink"),
    [
        (Failpoint("after log.append", 2), Failpoint("statement 4 of warehouse.append", 4)),
        (Failpoint("INSERT INTO segments in log.append", 11), Failpoint("after warehouse.append", 5)),
    ],
    ids=str,
)
def test_a_truncate_and_its_inserts_in_one_transaction_hold_over_four_partitions(
    of_capture: Failpoint, of_sink: Failpoint, site: Site, journal: Journal
) -> None:
    with site.running():
        site.until_read()
        with journal.transaction() as change:
            for number in range(60):
                change.insert("lead", number)
        site.assert_proved()
    with journal.transaction() as change:
        change.truncate("lead")
        for number in range(30, 150):
            change.insert("lead", number)
        change.update("lead", 31)
    site.die("capture", of_capture, 50)
    site.die("sink", of_sink)
    site.prove()
    assert site.streamed() == journal.lives
    assert site.query("SELECT count(DISTINCT _steno_log_partition) FROM public_lead_history") == [(4,)]
    assert site.query("SELECT count(*) FROM public_lead_current") == [(120,)]


@pytest.mark.parametrize("reached", [6, 9, 12])
def test_rows_deleted_while_a_killed_snapshot_waits_do_not_come_back(
    reached: int, site: Site, database: Database, journal: Journal
) -> None:
    with journal.transaction() as change:
        for number in range(100):
            change.insert("lead", number)
    site.die("capture", Failpoint("after log.append", reached))
    with site.running("sink"):
        stored = _stored_in_log(site)
        until(lambda: _history_rows(site) == stored, "history holds the half snapshot")
    assert stored > 0
    database.execute(
        "DELETE FROM lead WHERE id % 2 = 0", "UPDATE lead SET revision = -1 WHERE id < 10", "DELETE FROM deal"
    )
    site.prove()
    current = site.query("SELECT id, revision FROM public_lead_current ORDER BY id")
    assert current == database.fetch("SELECT id, revision FROM lead ORDER BY id")
    assert site.query("SELECT * FROM public_deal_current") == []


def test_capture_and_sink_killed_at_random_moments_while_the_source_writes(
    site: Site, journal: Journal
) -> None:
    _read_tables(site)
    dice = random.Random()
    enough = threading.Event()
    writer = threading.Thread(target=_write_until, args=(journal, enough, dice.randint(1, 1 << 30)))
    writer.start()
    try:
        for _ in range(10):
            children = [site.process(loop, Failpoint(NOWHERE)) for loop in ("capture", "sink")]
            time.sleep(dice.uniform(0.02, 0.5))
            dice.shuffle(children)
            for process in children:
                process.kill()
            for process in children:
                process.join(30)
                assert process.exitcode == -9
    finally:
        enough.set()
        writer.join(30)
    site.prove()
    assert site.streamed() == journal.lives
    assert site.logged() == journal.lives


def _write_until(journal: Journal, enough: threading.Event, seed: int) -> None:
    dice = random.Random(seed)
    alive: list[int] = []
    fresh = 0
    while not enough.is_set():
        with journal.transaction() as change:
            for _ in range(dice.randint(1, 6)):
                match dice.choice(["insert", "insert", "update", "delete", "rekey", "visit"]):
                    case "insert":
                        change.insert("lead", fresh)
                        alive.append(fresh)
                        fresh += 1
                    case "update" if alive:
                        change.update("lead", dice.choice(alive))
                    case "delete" if alive:
                        change.delete("lead", alive.pop(dice.randrange(len(alive))))
                    case "rekey" if alive:
                        place = dice.randrange(len(alive))
                        change.rekey("lead", (alive[place],), (fresh,))
                        alive[place] = fresh
                        fresh += 1
                    case _:
                        change.insert("visit", f"/{dice.randint(0, 9)}")
            if dice.random() < 0.05:
                change.truncate("lead")
                alive.clear()
        enough.wait(0.01)


def _stored_in_log(site: Site) -> int:
    log = site.wiring.log.audit()
    try:
        return sum(extent.end for extent in log.extents().values())
    finally:
        log.close()


def _history_rows(site: Site) -> int:
    counts = [site.query(f"SELECT count(*) FROM {table}")[0][0] for table in console(site.pipeline).shapes()]
    return sum(count for count in counts if isinstance(count, int))
