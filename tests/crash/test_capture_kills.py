"""A capture that is killed at any point loses nothing, repeats nothing in history and keeps the order of every key."""

from __future__ import annotations

import pytest

from tests.crash.failpoints import Failpoint
from tests.crash.journal import Journal, tell
from tests.crash.site import Site, calls_of, points_around, statements_in

APPEND = (
    "BEGIN IMMEDIATE",
    "SELECT ord, resume",
    "INSERT INTO positions",
    "SELECT id, partitions",
    "PRAGMA page_count",
    "PRAGMA freelist_count",
    "PRAGMA page_size",
    "SELECT partition, next",
    "INSERT INTO segments",
    "UPDATE ends SET",
    "COMMIT",
    # Retention's own transaction, after the append's.
    "SELECT t.name, e.topic_id,",
    'SELECT "group", topic_id,',
)
FIRST_APPEND = ("INSERT INTO topics", "SELECT id FROM", "INSERT INTO ends")
STREAMING_CALLS = {
    "log.position": (1, 2),
    "source.open": (1,),
    "source.poll": (1, 2, 5),
    "log.append": (1, 2, 5),
    "source.acknowledge": (1,),
}
STARTING_CALLS = {
    "log.position": (1, 2),
    "source.open": (1,),
    "source.poll": (1, 3, 6),
    "log.append": (1, 2, 3, 4, 5, 6),
    "source.acknowledge": (1, 2, 3, 4, 5, 6),
}
STREAMING = [
    *points_around(STREAMING_CALLS),
    *(Failpoint(f"{statement} in log.append") for statement in APPEND),
    Failpoint("INSERT INTO segments in log.append", 4),
    Failpoint("COMMIT in log.append", 4),
    Failpoint("row of log.append", 17),
]
STARTING = [
    *points_around(STARTING_CALLS),
    *(Failpoint(f"{statement} in log.append") for statement in FIRST_APPEND),
    # The transactions of the announcement, of the slot, of the tables' marks and of the first rows.
    *(Failpoint("COMMIT in log.append", nth) for nth in (1, 3, 4, 5)),
    Failpoint("row of log.append", 5),
]


def _read_tables(site: Site) -> None:
    """Let capture make its slot and read what is there."""
    with site.running("capture"):
        site.until_read()


@pytest.mark.parametrize("point", STREAMING, ids=str)
def test_a_capture_killed_while_streaming_goes_on_where_it_was(
    point: Failpoint, site: Site, journal: Journal
) -> None:
    """Invariants 1, 2, 3, 4 and 7."""
    _read_tables(site)
    tell(journal)
    site.die("capture", point)
    site.prove()
    assert site.streamed() == journal.lives
    assert site.logged() == journal.lives


@pytest.mark.parametrize("point", STARTING, ids=str)
def test_a_capture_killed_while_it_begins_reads_every_table_once_more(
    point: Failpoint, site: Site, journal: Journal
) -> None:
    """Invariants 1 and 2, from the first moment of a pipeline on."""
    site.die("capture", point)
    with site.running():
        site.assert_proved()
        tell(journal)
        site.assert_proved()
    assert site.streamed() == journal.lives


def test_the_points_of_a_streaming_capture_are_all_there_are(site: Site, journal: Journal) -> None:
    _read_tables(site)
    tell(journal)
    reached = site.dry_run("capture")
    assert calls_of(reached) == set(STREAMING_CALLS)
    assert statements_in(reached, "log.append") == set(APPEND)


@pytest.mark.usefixtures("journal")
def test_the_points_of_a_starting_capture_are_all_there_are(site: Site) -> None:
    reached = site.dry_run("capture")
    assert calls_of(reached) == set(STARTING_CALLS)
    assert statements_in(reached, "log.append") == {*APPEND, *FIRST_APPEND}
