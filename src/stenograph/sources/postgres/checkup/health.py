"""What a checkup asks of a server beyond what capture itself asks, as values.

Judges nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from stenograph.events import TableId
from stenograph.sources.postgres.checkup import queries
from stenograph.sources.postgres.failures import mapped
from stenograph.sources.postgres.lsn import lsn_of
from stenograph.sources.postgres.session import Session


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the server has room for. `wal_kept_bytes` is None for no limit; `idle_limit` is None where there is none.

    `idle_limit` is in the setting's own unit, and only its presence counts. Trap: reserved and hidden walsenders make
    `senders_used` a lower bound.
    """

    slots: int
    slots_used: int
    senders: int
    senders_used: int
    wal_kept_bytes: int | None
    idle_limit: int | None
    may_create: bool


@dataclass(frozen=True, slots=True)
class SlotHealth:
    """How a slot stands to the WAL. `safe_bytes` is None where no limit is set; `restart` where the slot is lost."""

    wal_status: str | None
    safe_bytes: int | None
    restart: int | None
    invalidation: str | None


@dataclass(frozen=True, slots=True)
class Relation:
    """A table beyond its signature. `persistence` is pg_class's; `locked_by` holds it against all others."""

    persistence: str
    owner: str
    row_security: bool
    generated: tuple[str, ...]
    locked_by: int | None


@dataclass(frozen=True, slots=True)
class ReplicaIdentity:
    """What updates of a table, or of one partition of it, carry of the old row.

    `kind` is pg_class's relreplident. `has_key` says that there is a primary key that can serve, `has_index` that the
    chosen index still is there, `index_is_key` that it is the primary key's.
    """

    table: TableId
    kind: str
    has_key: bool
    has_index: bool
    index_is_key: bool


@dataclass(frozen=True, slots=True)
class OldTransaction:
    """A transaction that has written something: the statement that ends it, and its age in seconds."""

    end: str
    seconds: float


class Health:
    """Questions to one server, each answered as of now. Raises what `failures.mapped` makes of an error."""

    def __init__(self, session: Session, dsn: str) -> None:
        self._session = session
        self._dsn = dsn

    def capacity(self) -> Capacity:
        """Slots, senders and limits."""
        return Capacity(*self._all(queries.CAPACITY)[0])

    def clock(self) -> float:
        """The server's time in seconds since 1970 UTC."""
        return float(self._all(queries.CLOCK)[0][0])

    def slot(self, name: str) -> SlotHealth | None:
        """The slot's state, or None."""
        rows = self._all(queries.SLOT, name)
        if not rows:
            return None
        status, safe, restart, reason = rows[0]
        return SlotHealth(status, safe, None if restart is None else lsn_of(restart), reason)

    def relations(self, oids: Collection[int], publication: str) -> dict[int, Relation]:
        """By oid, those that exist."""
        return {
            oid: Relation(persistence, owner, row_security, tuple(generated), locked_by)
            for oid, persistence, owner, row_security, generated, locked_by in self._all(
                queries.RELATIONS, publication, list(oids)
            )
        }

    def identities(self, oids: Collection[int]) -> dict[int, list[ReplicaIdentity]]:
        """By the table's oid, its own identity, or that of each partition that holds rows."""
        found: dict[int, list[ReplicaIdentity]] = {}
        for oid, schema, name, *rest in self._all(queries.IDENTITIES, list(oids)):
            found.setdefault(oid, []).append(ReplicaIdentity(TableId(schema, name), *rest))
        return found

    def old_transactions(self) -> list[OldTransaction]:
        """Transactions that a new slot waits for, the oldest first; without pg_monitor only the role's own."""
        return [OldTransaction(end, seconds) for end, seconds in self._all(queries.OLD_TRANSACTIONS) if end]

    def _all(self, query: str, *values: object) -> Sequence[tuple[Any, ...]]:
        try:
            return self._session.execute(query.encode(), values).fetchall()
        except psycopg.Error as failure:
            raise mapped(failure, self._dsn) from failure
