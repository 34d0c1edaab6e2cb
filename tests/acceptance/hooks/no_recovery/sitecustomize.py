"""Switches recovery off in every capture of the processes that have this folder on their PYTHONPATH.

A capture that is started again moves its slot to the source's newest change and goes on there, not at the position that
the log stores.
Without this fault the demo's proof would prove nothing: with it, changes are lost and the demo must say so.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

if "capture" in sys.orig_argv:
    import psycopg

    from stenograph.offsets import Position
    from stenograph.ports import Rereads, Source
    from stenograph.sources.postgres import adapter
    from stenograph.sources.postgres.position import Phase, resume_point

    honest = adapter.OpenedPostgres.resume

    def forgetful(self: adapter.OpenedPostgres, stored: Position | None, rereads: Rereads) -> Source:
        point = None if stored is None else resume_point(stored)
        if point is None or point.phase is not Phase.STREAMING:
            return honest(self, stored, rereads)
        newest = moved_to_newest(self._dsn, point.slot)
        return honest(self, replace(point, lsn=newest).position(), rereads)

    def moved_to_newest(dsn: str, slot: str) -> int:
        deadline = time.monotonic() + 20
        while True:
            try:
                with psycopg.connect(dsn, autocommit=True) as connection:
                    row = connection.execute(
                        "SELECT end_lsn - '0/0'::pg_lsn"
                        " FROM pg_replication_slot_advance(%s, pg_current_wal_flush_lsn())",
                        (slot,),
                    ).fetchone()
                assert row is not None
                return int(row[0])
            except psycopg.errors.ObjectInUse:
                # The server still holds the slot for the capture that was killed.
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    adapter.OpenedPostgres.resume = forgetful  # type: ignore[assignment, method-assign]
