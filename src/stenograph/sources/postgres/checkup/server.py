"""Diagnoses of the server and the role: what capture refuses, what is scarce, what its limits mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from stenograph.diagnosis import Diagnosis, fault, ok, size, warning
from stenograph.errors import SourceRefused
from stenograph.sources.postgres.catalogue import Server, Slot
from stenograph.sources.postgres.check import OLDEST, check_server
from stenograph.sources.postgres.checkup.health import Capacity

CLOCK_SECONDS = 2.0
"""A clock that differs by more spoils latencies and the order of sources that only know times."""


def server_points(server: Server) -> Iterator[Diagnosis]:
    """Each point that `check_server` refuses, by itself: all of them are told at once."""
    sound = replace(
        server, version=OLDEST, standby=False, wal_level="logical", may_replicate=True, encoding="UTF8"
    )
    yield _checked("version", replace(sound, version=server.version), f"Postgres {_version(server.version)}.")
    yield _checked("primary", replace(sound, standby=server.standby), "The server is a primary.")
    yield _checked("wal_level", replace(sound, wal_level=server.wal_level), "The WAL holds logical changes.")
    yield _checked(
        "replication",
        replace(sound, may_replicate=server.may_replicate),
        f"The role {server.role} may replicate.",
    )
    yield _checked(
        "encoding", replace(sound, encoding=server.encoding), f"Texts are encoded in {server.encoding}."
    )


def capacity_points(capacity: Capacity, slot: Slot | None) -> Iterator[Diagnosis]:
    """Whether there is a free slot and a free sender: capture needs one of each, and more for a moment.

    `slot` is the pipeline's own: what it takes already need not be free.
    """
    free = capacity.slots - capacity.slots_used
    sentence = f"{capacity.slots_used} of {capacity.slots} replication slots are taken."
    fix = f"ALTER SYSTEM SET max_replication_slots = {capacity.slots + 10}; -- then restart the server"
    if free > 0:
        yield ok("max_replication_slots", sentence)
    elif slot is not None:
        yield warning("max_replication_slots", f"{sentence} `steno verify` needs one more for a moment.", fix)
    else:
        yield fault("max_replication_slots", f"{sentence} Capture needs one.", fix)
    is_captured = slot is not None and slot.active_pid is not None
    spare = capacity.senders - capacity.senders_used - (0 if is_captured else 1)
    sentence = f"{capacity.senders_used} of {capacity.senders} walsenders are busy."
    fix = f"ALTER SYSTEM SET max_wal_senders = {capacity.senders + 10}; -- then restart the server"
    if spare > 0:
        yield ok("max_wal_senders", sentence)
    elif spare == 0:
        yield warning(
            "max_wal_senders", f"{sentence} Reading a table, and `steno verify`, need one more.", fix
        )
    else:
        yield fault("max_wal_senders", f"{sentence} Capture needs one.", fix)


def limit_points(capacity: Capacity) -> Iterator[Diagnosis]:
    """What happens to the server, and to the slot, while capture is down."""
    if capacity.wal_kept_bytes is None:
        yield warning(
            "max_slot_wal_keep_size",
            "There is no limit: while capture is down the server keeps all WAL, until its disk is full.",
            "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf();",
        )
    else:
        yield ok(
            "max_slot_wal_keep_size",
            f"A capture that is down loses its slot after {size(capacity.wal_kept_bytes)} of WAL.",
        )
    if capacity.idle_limit is not None:
        yield warning(
            "idle_replication_slot_timeout",
            "The server drops a slot that has been idle for some time: a capture that is down that long loses changes.",
            "ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();",
        )


def clock_point(ask: Callable[[], float]) -> Diagnosis:
    """How far the server's clock is from ours, give or take the way there and back."""
    before = time.time()
    there = ask()
    after = time.time()
    away = max(before - there, there - after, 0.0)
    if away > CLOCK_SECONDS:
        return warning(
            "clock",
            f"The server's clock and this machine's differ by {away:.1f} s: latencies are wrong by as much.",
            "chronyc makestep # on the machine whose clock is wrong",
        )
    return ok("clock", "The server's clock agrees with this machine's.")


def _checked(name: str, server: Server, sentence: str) -> Diagnosis:
    try:
        check_server(server)
    except SourceRefused as refusal:
        return Diagnosis.of_error(name, refusal)
    return ok(name, sentence)


def _version(number: int) -> str:
    return f"{number // 10000}.{number % 10000}"
