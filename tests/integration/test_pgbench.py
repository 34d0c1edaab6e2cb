"""pgbench as it comes: it drops its tables and makes them anew while they are captured, and one has no key."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.components import require_component
from tests.crash.site import Site, until
from tests.fix_postgres import Database

TABLES = ("pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history")
ROWS = 100_000
Bench = Callable[..., None]


@pytest.fixture
def bench(database: Database) -> Bench:
    """Runs pgbench on the database, with these arguments."""
    binaries = database.server.binaries
    try:
        program = binaries.program("pgbench")
        reason = None if os.access(program, os.X_OK) else f"{program} is not there"
    except FileNotFoundError as missing:
        program, reason = "", str(missing)
    require_component("pgbench", reason)

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [program, *arguments, database.dsn],
            env=binaries.environment(),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    return run


def _relations(database: Database) -> dict[str, int]:
    found = database.fetch("SELECT relname::text, oid FROM pg_class WHERE relname = ANY(%s)", list(TABLES))
    return {str(name): int(str(oid)) for name, oid in found}


def test_pgbench_is_captured_with_nothing_but_a_dsn_and_its_tables(
    bench: Bench, database: Database, tmp_path: Path
) -> None:
    # Empty tables with their keys, as somebody left them.
    bench("-i", "-I", "dtp", "-q")
    site = Site.make(tmp_path / "bench", database.dsn, TABLES)
    with site.running():
        site.until_read()
        # It drops and makes all four tables: other relations under the old names, filled before they have a key.
        bench("-i", "-q")
        bench("-n", "-c", "2", "-t", "100")
        relations = _relations(database)
        until(lambda: site.read_tables() == relations, "the new relations are read")
        bench("-n", "-c", "2", "-t", "100")
        site.assert_proved(patience=90)
    assert site.query("SELECT count(*) FROM public_pgbench_accounts_current") == [(ROWS,)]
    assert site.query("SELECT count(*) FROM public_pgbench_history_current") == database.fetch(
        "SELECT count(*) FROM pgbench_history"
    )
