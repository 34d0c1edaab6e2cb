"""A checkup from the first connection to the slot, in the order in which troubles should be mended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import psycopg

from stenograph.diagnosis import Diagnosis, fault, ok, warning
from stenograph.errors import StenographError
from stenograph.events import TableId
from stenograph.offsets import Position
from stenograph.sources.postgres.catalogue import Catalogue, Server
from stenograph.sources.postgres.check import OLDEST
from stenograph.sources.postgres.checkup.health import Health
from stenograph.sources.postgres.checkup.publication import publication_points
from stenograph.sources.postgres.checkup.server import (
    capacity_points,
    clock_point,
    limit_points,
    server_points,
)
from stenograph.sources.postgres.checkup.slot import slot_points
from stenograph.sources.postgres.checkup.tables import table_points
from stenograph.sources.postgres.failures import mapped, place
from stenograph.sources.postgres.opening import check_same_server
from stenograph.sources.postgres.position import ResumePoint, resume_point
from stenograph.sources.postgres.replication import Identity, ReplicationConnection
from stenograph.sources.postgres.session import connect
from stenograph.sources.postgres.settings import PostgresSettings

StoredPosition = Callable[[], Position | None]
"""Asks the log for the source's position; raises as the log does."""


def examined(
    dsn: str, settings: PostgresSettings, tables: Sequence[TableId], stored: StoredPosition, pipeline: str
) -> Iterator[Diagnosis]:
    """Every point of the server, each as soon as it is known.

    Raise SourceUnavailable, SourceRefused or ConfigurationError where nothing further can be asked.
    """
    try:
        yield from _points(dsn, settings, tables, stored, pipeline)
    except psycopg.Error as failure:
        raise mapped(failure, dsn) from failure


def _points(
    dsn: str, settings: PostgresSettings, tables: Sequence[TableId], stored: StoredPosition, pipeline: str
) -> Iterator[Diagnosis]:
    begun = time.monotonic()
    with connect(dsn) as session:
        session.execute("SET default_transaction_read_only = on")
        session.execute("SET lock_timeout = '2s'")
        catalogue, health = Catalogue(session), Health(session, dsn)
        server = catalogue.server()
        taken = (time.monotonic() - begun) * 1000
        where = ", ".join(f"{name} {value}" for name, value in place(dsn).items())
        yield ok("reachable", f"It answers within {taken:.0f} ms ({where}).")
        yield from server_points(server)
        if server.version < OLDEST:
            return
        capacity = health.capacity()
        yield from capacity_points(capacity, catalogue.slot(settings.slot_name))
        yield from limit_points(capacity)
        yield clock_point(health.clock)
        found = catalogue.tables(tables)
        yield from table_points(tables, found, catalogue, health, server.role, settings.publication_name)
        try:
            yield from publication_points(settings.publication_name, tables, found, catalogue, capacity)
        except psycopg.errors.LockNotAvailable:
            # What a publication sends of a table can be asked only while nobody has locked the table.
            yield warning("publication", "It cannot be looked at while one of the tables is locked.")
        yield from _place(dsn, settings, server, catalogue, health, stored, pipeline)


def _place(
    dsn: str,
    settings: PostgresSettings,
    server: Server,
    catalogue: Catalogue,
    health: Health,
    stored: StoredPosition,
    pipeline: str,
) -> Iterator[Diagnosis]:
    try:
        position = stored()
        resume = None if position is None else resume_point(position)
    except StenographError as error:
        yield fault("slot", f"The log's position cannot be read: {error.summary}", error.hint)
        return
    if server.may_replicate and not server.standby:
        yield _identity(dsn, server, resume)
    slot = settings.slot_name if resume is None else resume.slot
    yield from slot_points(slot, resume, server, catalogue, health, pipeline)


def _identity(dsn: str, server: Server, resume: ResumePoint | None) -> Diagnosis:
    """Whether replication is let in at all, and whether this is the server that the log's position speaks of."""
    name = "replication connection"
    try:
        identity = _asked(dsn)
        if resume is not None:
            check_same_server(resume, identity, server)
    except StenographError as error:
        return Diagnosis.of_error(name, error)
    return ok(name, f"Replication is let in; the cluster is {identity.system}, timeline {identity.timeline}.")


def _asked(dsn: str) -> Identity:
    with closing(ReplicationConnection(dsn)) as connection:
        return connection.identify()
