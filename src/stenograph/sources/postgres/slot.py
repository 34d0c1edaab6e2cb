"""The replication slot: whether it still holds what we need, and how an old one goes.

Never drops a slot that somebody uses.
"""

from __future__ import annotations

import time

import psycopg

from stenograph.errors import SourceHistoryLost, SourceRefused, SourceUnavailable
from stenograph.sources.postgres.catalogue import Catalogue, Slot
from stenograph.sources.postgres.failures import mapped
from stenograph.sources.postgres.lsn import lsn_text
from stenograph.sources.postgres.position import Loss, ResumePoint
from stenograph.sources.postgres.session import Session

_RELEASE_SECONDS = 5.0
_LOOK_SECONDS = 0.05


def free_slot(catalogue: Catalogue, name: str) -> Slot | None:
    """The slot, which nobody uses; None if there is none.

    Raise SourceRefused if somebody goes on using it, SourceUnavailable if it is still being made.
    """
    deadline = time.monotonic() + _RELEASE_SECONDS
    slot = catalogue.slot(name)
    while slot is not None and slot.active_pid is not None:
        if time.monotonic() > deadline:
            if slot.confirmed is None:
                raise SourceUnavailable(
                    "The replication slot is still being made for a capture that is gone: the server waits for "
                    "transactions that are running.",
                    hint=f"It goes on by itself when they end; or: SELECT pg_terminate_backend({slot.active_pid});",
                    slot=name,
                    active_pid=slot.active_pid,
                )
            raise SourceRefused(
                "The replication slot is in use by another process.",
                hint=f"Stop the other capture, or end its connection: SELECT pg_terminate_backend({slot.active_pid});",
                slot=name,
                active_pid=slot.active_pid,
            )
        # The server notices within moments that a killed capture is gone.
        time.sleep(_LOOK_SECONDS)
        slot = catalogue.slot(name)
    return slot


def drop_slot(session: Session, dsn: str, name: str) -> None:
    """Drop the slot if there is one; raise SourceRefused if it is in use."""
    if free_slot(Catalogue(session), name) is None:
        return
    try:
        session.execute("SELECT pg_drop_replication_slot(%s)", [name])
    except psycopg.Error as failure:
        raise mapped(failure, dsn, slot=name) from failure


def refuse_unknown(slot: Slot | None, name: str) -> None:
    """Raise SourceRefused if a slot exists that no stored position speaks of: it may be another pipeline's."""
    if slot is not None:
        raise SourceRefused(
            "A replication slot of that name exists, and the log knows nothing of it.",
            hint="If it is an old one of this pipeline, `steno capture --anew` replaces it; "
            "else give `slot` another name.",
            slot=name,
        )


def lost_since(slot: Slot | None, database: str, resume: ResumePoint) -> tuple[str, int] | None:
    """Why the slot lost changes after the position, and the LSN up to which (0 if unknown); None if it did not.

    Invariant 8: what is lost is a gap to be recorded, never a stretch to be skipped.
    """
    if slot is None:
        return "the replication slot is gone", 0
    if slot.lost:
        return "the replication slot was invalidated by the server", 0
    if slot.database != database or slot.plugin != "pgoutput":
        return "the replication slot is one of another database or plugin", 0
    if slot.confirmed is not None and slot.confirmed > resume.lsn:
        return (
            f"the replication slot was advanced to {lsn_text(slot.confirmed)} by something else",
            slot.confirmed,
        )
    return None


def history_lost(loss: Loss, slot: str) -> SourceHistoryLost:
    """The error that ends a capture once the loss is recorded."""
    return SourceHistoryLost(
        f"The server no longer has the changes after the log's position: {loss.cause}.",
        hint="Read the tables anew with `steno capture --anew`; the gap is recorded in history.",
        slot=slot,
        position=lsn_text(loss.after),
    )
