"""Fixtures of the crash tests: a database with the journal's tables, and a pipeline in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.journal import SCHEMA, Journal, before_the_snapshot
from tests.crash.site import Site
from tests.fix_postgres import Database


@pytest.fixture
def journal(database: Database) -> Iterator[Journal]:
    """The journal of a database whose tables hold rows already."""
    database.execute(*SCHEMA)
    with Journal(database.connect()) as made:
        before_the_snapshot(made)
        made.lives = {table: {} for table in made.lives}
        yield made


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    """A pipeline that has never run."""
    return Site.make(tmp_path / "shop", database.dsn)
