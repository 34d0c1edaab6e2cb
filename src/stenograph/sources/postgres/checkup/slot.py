"""Diagnoses of the replication slot: whether it holds what the log's position needs, and what it costs the server."""

from __future__ import annotations

from collections.abc import Iterator

from stenograph.diagnosis import Diagnosis, fault, ok, size, warning
from stenograph.errors import SourceRefused
from stenograph.sources.postgres.catalogue import Catalogue, Server, Slot
from stenograph.sources.postgres.checkup.health import Health, SlotHealth
from stenograph.sources.postgres.lsn import lsn_text
from stenograph.sources.postgres.position import Phase, ResumePoint
from stenograph.sources.postgres.slot import lost_since, refuse_unknown

RETAINED_BYTES = 1 << 30
"""An idle slot that keeps more WAL than this is worth a word."""
OLD_SECONDS = 60.0
"""A transaction older than this keeps a first capture waiting long enough to wonder."""


def slot_points(
    name: str, stored: ResumePoint | None, server: Server, catalogue: Catalogue, health: Health, pipeline: str
) -> Iterator[Diagnosis]:
    """The slot of that name beside the position that the log holds; None where it holds none."""
    slot, state = catalogue.slot(name), health.slot(name)
    if slot is None or state is None:
        yield from _missing(name, stored, health, pipeline)
        return
    lost = _lost(name, slot, state, stored, server, pipeline)
    if lost is not None:
        yield lost
        return
    yield _use(name, slot, pipeline)
    yield _retention(name, slot, state, server, pipeline)


def _missing(name: str, stored: ResumePoint | None, health: Health, pipeline: str) -> Iterator[Diagnosis]:
    if stored is not None and stored.phase is Phase.STREAMING:
        yield fault(
            "slot",
            f"The slot {name} is gone, and with it the changes since {lsn_text(stored.lsn)}.",
            _anew(pipeline),
        )
        return
    yield ok("slot", f"There is none yet; capture will make {name}.")
    for old in health.old_transactions()[:1]:
        if old.seconds > OLD_SECONDS:
            yield warning(
                "transactions",
                f"A transaction has been open for {old.seconds:.0f} s; a new slot waits until it ends.",
                old.end,
            )


def _lost(
    name: str, slot: Slot, state: SlotHealth, stored: ResumePoint | None, server: Server, pipeline: str
) -> Diagnosis | None:
    if slot.lost:
        why = f" ({state.invalidation})" if state.invalidation else ""
        return fault(
            "slot",
            f"The server has invalidated the slot {name}{why}: changes that the log does not have are gone.",
            _anew(pipeline),
        )
    if stored is None:
        try:
            refuse_unknown(slot, name)
        except SourceRefused as refusal:
            return fault("slot", f"{refusal.summary} It is called {name}.", refusal.hint)
        return None
    cause = lost_since(slot, server.database, stored)
    if cause is None or stored.phase is Phase.STARTING:
        return None
    return fault(
        "slot",
        f"The slot {name} lacks changes after {lsn_text(stored.lsn)} that the log does not have: {cause[0]}.",
        _anew(pipeline),
    )


def _use(name: str, slot: Slot, pipeline: str) -> Diagnosis:
    if slot.active_pid is None:
        return warning("slot", f"Nobody reads the slot {name}.", f"steno capture -p {pipeline}")
    return ok("slot", f"The slot {name} is read through the server's process {slot.active_pid}.")


def _retention(name: str, slot: Slot, state: SlotHealth, server: Server, pipeline: str) -> Diagnosis:
    retained = 0 if state.restart is None else max(0, server.wal_end - state.restart)
    room = "" if state.safe_bytes is None else f" It may keep {size(max(0, state.safe_bytes))} more."
    sentence = f"The slot {name} keeps {size(retained)} of WAL.{room}"
    start = f"steno capture -p {pipeline}"
    if state.wal_status == "unreserved" or (state.safe_bytes is not None and state.safe_bytes <= 0):
        return fault(
            "retained WAL",
            f"{sentence} The next checkpoint may take what it needs.",
            f"ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf(); -- then: {start}",
        )
    if slot.active_pid is None and retained > RETAINED_BYTES:
        return warning("retained WAL", f"{sentence} It grows until capture runs.", start)
    if state.wal_status == "extended":
        return warning("retained WAL", f"{sentence} That is more than max_wal_size: capture lags.", start)
    return ok("retained WAL", sentence)


def _anew(pipeline: str) -> str:
    return f"steno capture -p {pipeline} --anew"
