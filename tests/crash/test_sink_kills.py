"""A sink that is killed at any point stores every record of the log once, with the ledger in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.databases import fresh_database
from tests.crash.failpoints import Failpoint
from tests.crash.journal import SCHEMA, Journal, before_the_snapshot, tell
from tests.crash.site import Site, calls_of, points_around, statements_of
from tests.fix_postgres import Database, PostgresServer

CALLS = {
    "reader.open": (1,),
    "reader.assigned": (1, 2),
    "reader.seek": (1, 7),
    "reader.poll": (1, 2, 6),
    "reader.report": (1, 4),
    "warehouse.claim": (1,),
    "warehouse.shape": (1, 3),
    "warehouse.evolve": (1, 2, 3),
    "warehouse.append": (1, 2, 7, 15),
}
STATEMENTS = {"warehouse.append": 6, "warehouse.claim": 7, "warehouse.evolve": 13, "warehouse.shape": 5}
POINTS = [
    *points_around(CALLS),
    *(Failpoint(f"statement {k} of {call}") for call, most in STATEMENTS.items() for k in range(1, most + 1)),
    *(
        Failpoint(f"statement {k} of warehouse.append", 9)
        for k in range(1, STATEMENTS["warehouse.append"] + 1)
    ),
    # The first transaction of a claim makes the file's own tables; the second one is the claim's.
    *(Failpoint(f"statement {k} of warehouse.claim", 2) for k in range(1, STATEMENTS["warehouse.claim"] + 1)),
    Failpoint("CREATE TABLE _steno_meta in warehouse.claim"),
]


@dataclass(frozen=True, slots=True)
class Told:
    """A log that holds the whole workload, and the journal of it."""

    database: Database
    log: Path
    journal: Journal

    def site(self, folder: Path) -> Site:
        """A pipeline of this log with an empty history."""
        return Site.make(folder, self.database.dsn, log=self.log)


@pytest.fixture(scope="module")
def told(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Captured once for all tests here: a sink takes nothing out of the log."""
    folder = tmp_path_factory.mktemp("told")
    with fresh_database(postgres_server) as database:
        database.execute(*SCHEMA)
        with Journal(database.connect()) as journal:
            before_the_snapshot(journal)
            journal.lives = {table: {} for table in journal.lives}
            made = Told(database, folder / "log.db", journal)
            site = made.site(folder / "first")
            with site.running("capture"):
                site.until_read()
                tell(journal)
                site.until_captured()
            yield made


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_killed_sink_stores_every_record_once(point: Failpoint, told: Told, tmp_path: Path) -> None:
    """Invariants 2 to 6 and 9."""
    site = told.site(tmp_path)
    site.die("sink", point)
    site.prove()
    assert site.streamed() == told.journal.lives
    assert site.logged() == told.journal.lives


def test_the_points_of_a_sink_are_all_there_are(told: Told, tmp_path: Path) -> None:
    reached = told.site(tmp_path).dry_run("sink")
    assert calls_of(reached) == set(CALLS)
    assert {call: statements_of(reached, call) for call in STATEMENTS} == STATEMENTS
