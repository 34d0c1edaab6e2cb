"""How a run of capture begins: a first run, a run begun anew, or the stored one resumed.

Only looks: what must be made is made by `source`, once the log knows of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stenograph.errors import SourceRefused, SourceRewound
from stenograph.events import TableId
from stenograph.ports import Start
from stenograph.sources.postgres.catalogue import Catalogue, Server, Signature
from stenograph.sources.postgres.lsn import lsn_text
from stenograph.sources.postgres.position import Loss, Phase, Reading, ResumePoint, TableMark
from stenograph.sources.postgres.replication import Identity
from stenograph.sources.postgres.slot import free_slot, lost_since, refuse_unknown


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a run begins. `loss` is what must be recorded in the log: before all else, or as the new run starts.

    `confirmed` is the LSN that the slot stands at, None where a new slot is made.
    """

    resume: ResumePoint
    is_stored: bool
    loss: Loss | None
    confirmed: int | None = None


def opening(
    start: Start,
    stored: ResumePoint | None,
    identity: Identity,
    server: Server,
    slot: str,
    tables: Sequence[TableId],
    catalogue: Catalogue,
) -> Opening:
    """How to begin. Raise SourceRefused or SourceRewound where the stored position and the server disagree."""
    match start:
        case Start.ANEW:
            return _anew(stored, identity, slot, tables, catalogue)
        case Start.RESUME if stored is None:
            refuse_unknown(catalogue.slot(slot), slot)
            return Opening(_new_run(identity, slot, int(time.time())), is_stored=False, loss=None)
        case _:
            assert stored is not None
            check_same_server(stored, identity, server)
            _check_same_slot(stored, slot)
            # A table that is not captured now misses changes: if it comes back, it is read again.
            stored = stored.unread(stored.tables.keys() - set(tables))
            if stored.phase is Phase.STARTING:
                return Opening(stored, is_stored=True, loss=stored.loss)
            found = free_slot(catalogue, stored.slot)
            lost = lost_since(found, server.database, stored)
            loss = None if lost is None else Loss(lost[0], stored.lsn, lost[1], stored.last_committed_at)
            return Opening(
                stored, is_stored=True, loss=loss, confirmed=None if found is None else found.confirmed
            )


def _anew(
    stored: ResumePoint | None,
    identity: Identity,
    slot: str,
    tables: Sequence[TableId],
    catalogue: Catalogue,
) -> Opening:
    run = int(time.time())
    loss = None
    if stored is not None:
        run = max(run, stored.run + 1)
        loss = None if stored.loss is None else replace(stored.loss, repaired_by=run)
        if stored.phase is Phase.STREAMING:
            loss = Loss("capture was begun anew", stored.lsn, 0, stored.last_committed_at, repaired_by=run)
    elif catalogue.slot(slot) is not None:
        # A slot without a position: there was a log once, and nobody knows how far it went.
        loss = Loss("capture was begun anew without the log's position", 0, 0, 0, repaired_by=run)
    # The position holds the loss until it is recorded, whatever is killed before.
    begun = replace(_new_run(identity, slot, run), loss=loss)
    known = {*tables, *(stored.tables if stored is not None else ())}
    for table in known:
        # History may hold rows of any of them, also where the log's position is gone.
        request = stored.tables[table].request if stored is not None and table in stored.tables else 0
        mark = TableMark(Signature(0, ()), Reading.READING, 0, 0, again=True, request=request)
        begun = begun.with_mark(table, mark)
    return Opening(begun, is_stored=False, loss=loss)


def _check_same_slot(stored: ResumePoint, slot: str) -> None:
    if stored.slot != slot:
        raise SourceRefused(
            "The pipeline names another replication slot than the one that the log's position belongs to.",
            hint=f"Set `slot` back to {stored.slot}; or begin a new run with `steno capture --anew`, and then drop the "
            f"old slot, which keeps the server's WAL: SELECT pg_drop_replication_slot('{stored.slot}');",
            slot=slot,
            stored_slot=stored.slot,
        )


def _new_run(identity: Identity, slot: str, run: int) -> ResumePoint:
    return ResumePoint(
        system=identity.system,
        timeline=identity.timeline,
        run=run,
        slot=slot,
        phase=Phase.STARTING,
        lsn=0,
        last_commit=None,
        last_committed_at=0,
        tables={},
    )


def check_same_server(stored: ResumePoint, identity: Identity, server: Server) -> None:
    """Raise SourceRewound if the stored position speaks of another server, or of a later state of this one."""
    hint = "If history shall go on with this server, read its tables anew: `steno capture --anew`."
    if stored.system != identity.system:
        raise SourceRewound(
            "The server is another one than the log's position speaks of.",
            hint=hint,
            stored_system=stored.system,
            server_system=identity.system,
        )
    if stored.timeline != identity.timeline:
        raise SourceRewound(
            "The server's history has branched since: it was promoted or restored.",
            hint=hint,
            stored_timeline=stored.timeline,
            server_timeline=identity.timeline,
        )
    if stored.lsn > server.wal_end:
        raise SourceRewound(
            "The server is in an older state than the log has seen: it was restored.",
            hint=hint,
            stored=lsn_text(stored.lsn),
            server_at=lsn_text(server.wal_end),
        )
