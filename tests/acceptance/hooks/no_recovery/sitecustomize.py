"""Switches recovery off in every capture of the processes that have this folder on their PYTHONPATH.

A capture that is started again goes on at the source's newest change, not at the position that the log stores.
Without this fault the demo's proof would prove nothing: with it, changes are lost and the demo must say so.
"""

from __future__ import annotations

import sys
from dataclasses import replace

if "capture" in sys.orig_argv:
    import psycopg

    from stenograph.offsets import Position
    from stenograph.ports import Source
    from stenograph.sources.postgres import adapter
    from stenograph.sources.postgres.position import Phase, resume_point

    honest = adapter.OpenedPostgres.resume

    def forgetful(self: adapter.OpenedPostgres, stored: Position | None) -> Source:
        if stored is None:
            return honest(self, stored)
        point = resume_point(stored)
        if point.phase is not Phase.STREAMING:
            return honest(self, stored)
        with psycopg.connect(self._dsn) as connection:
            row = connection.execute("SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        return honest(self, replace(point, lsn=int(row[0])).position())

    adapter.OpenedPostgres.resume = forgetful  # type: ignore[assignment, method-assign]
