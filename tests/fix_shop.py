"""A small pipeline as its operator has it: never run, or filled by loops that have ended, and what is done with it.

Starts nothing that outlives a test.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.commands import steno
from tests.crash.site import Site
from tests.fix_postgres import Database
from tests.operating import ask

TABLES = ("lead", "deal")


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    """A pipeline that has never run, of two tables with a row each."""
    database.execute(
        "CREATE TABLE lead (id int PRIMARY KEY, name text)",
        "CREATE TABLE deal (id int PRIMARY KEY, name text)",
        "INSERT INTO lead VALUES (1, 'one')",
        "INSERT INTO deal VALUES (1, 'one')",
    )
    return Site.make(tmp_path / "shop", database.dsn, TABLES)


@pytest.fixture
def filled(site: Site, database: Database) -> Site:
    """The pipeline after it ran for a while."""
    with site.running():
        site.until_read()
        database.execute("UPDATE lead SET name = 'two'", "INSERT INTO deal VALUES (2, 'two')")
        site.assert_proved()
    return site


def ends(site: Site, *words: str) -> tuple[int, str]:
    """The exit code of a loop that ends by itself, and the last line that it wrote."""
    with steno(site, *words) as process:
        code = process.wait(30)
    return code, (site.folder / f"{words[0]}.out").read_text().splitlines()[-1]


def proved(site: Site, seconds: int = 30) -> None:
    """Verify must prove everything; the loops must be running or have caught up."""
    said = ask(site, "verify", "--json", "--patience", str(seconds))
    assert (said.code, said.json["verdict"]) == (0, "proved"), said.json


def goes_on(site: Site, database: Database) -> None:
    """Both loops run as before, and a new change is stored and proved."""
    database.execute("INSERT INTO lead SELECT max(id) + 1, 'later' FROM lead")
    with site.running():
        site.until_captured()
        site.assert_proved()


def rewrite(site: Site, old: str, new: str) -> None:
    """Another text in the pipeline file."""
    text = site.file.read_text()
    assert old in text
    site.file.write_text(text.replace(old, new))
