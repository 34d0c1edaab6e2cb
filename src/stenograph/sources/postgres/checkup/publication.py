"""Diagnoses of the publication: whether it sends all that capture needs, or the role can make it do so."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from stenograph.diagnosis import Diagnosis, fault, ok, warning
from stenograph.errors import SourceRefused
from stenograph.events import TableId
from stenograph.sources.postgres.catalogue import Catalogue, PgTable
from stenograph.sources.postgres.check import quoted_table
from stenograph.sources.postgres.checkup.health import Capacity
from stenograph.sources.postgres.publication import check_publication
from stenograph.sources.postgres.replication import quoted


def publication_points(
    name: str,
    tables: Sequence[TableId],
    found: Mapping[TableId, PgTable],
    catalogue: Catalogue,
    capacity: Capacity,
) -> Iterator[Diagnosis]:
    """Tables that do not exist, or are none, are told elsewhere and left out here."""
    there = [found[table] for table in tables if table in found and found[table].kind in ("r", "p")]
    publication = catalogue.publication(name)
    if publication is None:
        yield _missing(name, there, capacity)
        return
    try:
        check_publication(catalogue, name, there)
    except SourceRefused as refusal:
        yield fault("publication", refusal.summary, refusal.hint)
    held = catalogue.signatures(tables, name)
    lacking = [table for table in there if table.id not in held]
    if not lacking:
        yield ok("publication", f"{name} sends every table of the pipeline.")
    elif publication.owned and all(table.owned for table in lacking):
        yield ok("publication", f"Capture will add to {name}: {_listed(lacking)}.")
    else:
        added = ", ".join(quoted_table(table.id) for table in lacking)
        yield fault(
            "publication",
            f"{name} does not send {_listed(lacking)}, and the role may not add to it.",
            f"ALTER PUBLICATION {quoted(name)} ADD TABLE {added};",
        )
    yield from _restrictions(name, [table for table in there if table.id in held], catalogue)


def _missing(name: str, tables: Sequence[PgTable], capacity: Capacity) -> Diagnosis:
    if capacity.may_create and all(table.owned for table in tables):
        return ok("publication", f"There is none yet; capture will make {name}.")
    listed = ", ".join(quoted_table(table.id) for table in tables)
    return fault(
        "publication",
        f"There is no publication {name}, and the role may not make it: that takes CREATE on the database and owning"
        " the tables.",
        f"CREATE PUBLICATION {quoted(name)} FOR TABLE {listed} WITH (publish_via_partition_root = true);",
    )


def _restrictions(name: str, tables: Collection[PgTable], catalogue: Catalogue) -> Iterator[Diagnosis]:
    for table in tables:
        columns, row_filter = catalogue.published(name, table.id)
        left_out = [
            column.name
            for column in catalogue.columns(table.signature.oid)
            if columns is not None and column.name not in columns and not column.generated
        ]
        alter, sql = f"ALTER PUBLICATION {quoted(name)}", quoted_table(table.id)
        anew = f"BEGIN; {alter} DROP TABLE {sql}; {alter} ADD TABLE {sql}; COMMIT;"
        if left_out:
            yield warning(
                f"publication of {table.id}",
                f"{name} leaves out columns of {table.id}, which history will not have: {', '.join(left_out)}.",
                anew,
            )
        if row_filter is not None:
            yield warning(
                f"publication of {table.id}",
                f"{name} sends only those rows of {table.id} that pass its filter; history lacks the others.",
                anew,
            )


def _listed(tables: Sequence[PgTable]) -> str:
    return ", ".join(str(table.id) for table in tables)
