"""The publication: made where it is missing, and given the tables that it does not hold.

Takes no table out: other consumers may share it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import psycopg

from stenograph.errors import SourceRefused, StenographError
from stenograph.events import TableId
from stenograph.sources.postgres.catalogue import Catalogue, PgTable
from stenograph.sources.postgres.check import quoted_table
from stenograph.sources.postgres.failures import mapped
from stenograph.sources.postgres.replication import quoted
from stenograph.sources.postgres.session import Session


def check_publication(catalogue: Catalogue, name: str, tables: Collection[PgTable]) -> None:
    """Raise SourceRefused if a publication of that name exists and leaves out what we need."""
    publication = catalogue.publication(name)
    if publication is None:
        return
    if not publication.all_operations:
        raise SourceRefused(
            "The publication leaves out some kinds of changes.",
            hint=f"ALTER PUBLICATION {quoted(name)} SET (publish = 'insert, update, delete, truncate');",
            publication=name,
        )
    partitioned = sorted(str(table.id) for table in tables if table.kind == "p")
    if partitioned and not publication.via_root:
        raise SourceRefused(
            "The publication sends a partitioned table's changes under its partitions' names.",
            hint=f"ALTER PUBLICATION {quoted(name)} SET (publish_via_partition_root = true);",
            publication=name,
            tables=", ".join(partitioned),
        )


def publish(
    session: Session, dsn: str, name: str, tables: Sequence[TableId], found: Mapping[TableId, PgTable]
) -> frozenset[TableId]:
    """See that the publication holds the tables; those that it holds now.

    A table that the application has locked is left for the next time. Raise SourceRefused with the statement to
    run where the role may not.
    """
    catalogue = Catalogue(session)
    if catalogue.publication(name) is None:
        listed = ", ".join(map(quoted_table, tables))
        statement = (
            f"CREATE PUBLICATION {quoted(name)} FOR TABLE {listed} WITH (publish_via_partition_root = true);"
        )
        if not _run(session, dsn, statement):
            return frozenset()
        return frozenset(tables)
    held = set(catalogue.signatures(tables, name))
    for table in tables:
        if table not in held and table in found:
            statement = f"ALTER PUBLICATION {quoted(name)} ADD TABLE {quoted_table(table)};"
            if _run(session, dsn, statement):
                held.add(table)
    return frozenset(held)


_NOT_NOW = frozenset({"55P03", "42P01"})
"""Locked by the application, or dropped since."""
_THERE_ALREADY = "42710"


def _run(session: Session, dsn: str, statement: str) -> bool:
    try:
        # Whoever comes after us in the table's queue waits as long as we do.
        with session.transaction():
            session.execute("SET LOCAL lock_timeout = '200ms'")
            session.execute(statement.encode())
    except psycopg.Error as failure:
        if failure.sqlstate in _NOT_NOW:
            return False
        if failure.sqlstate == _THERE_ALREADY:
            return True
        raise _refused(failure, dsn, statement) from failure
    return True


def _refused(failure: psycopg.Error, dsn: str, statement: str) -> StenographError:
    if failure.sqlstate == "42501":
        return SourceRefused(
            "The role may not change the publication: that takes its owner, who must own the tables too.",
            hint=f"As the owner or a superuser: {statement}",
        )
    return mapped(failure, dsn)
