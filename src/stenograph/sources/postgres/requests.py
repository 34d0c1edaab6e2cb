"""What somebody who asks for a table to be read again needs to know: whether it can be, and whether it has been.

Takes no request up: `watch` does.
"""

from __future__ import annotations

from contextlib import closing

from stenograph.errors import SourceRefused
from stenograph.events import TableId
from stenograph.offsets import Position
from stenograph.ports import RequestState
from stenograph.sources.postgres.catalogue import Catalogue
from stenograph.sources.postgres.check import check_tables, quoted_table
from stenograph.sources.postgres.failures import mapped_errors
from stenograph.sources.postgres.position import Reading, resume_point
from stenograph.sources.postgres.replication import quoted
from stenograph.sources.postgres.session import connect


def refuse_unreadable(dsn: str, publication: str, table: TableId) -> None:
    """Raise SourceRefused if the table does not exist, cannot be read by the role, or is not in the publication."""
    with closing(connect(dsn)) as session, mapped_errors(dsn):
        catalogue = Catalogue(session)
        check_tables([table], catalogue.tables([table]), catalogue, catalogue.server().role)
        if not catalogue.signatures([table], publication):
            raise SourceRefused(
                f"{table} is not in the publication, so its changes are not sent and it cannot be read between them.",
                hint="Start capture, which adds it where its role may; or as its owner: "
                f"ALTER PUBLICATION {quoted(publication)} ADD TABLE {quoted_table(table)};",
                table=table,
                publication=publication,
            )


def request_state(stored: Position | None, table: TableId) -> RequestState:
    """What the position's mark of the table says; raise SourceRefused for a position of another version."""
    mark = None if stored is None else resume_point(stored).tables.get(table)
    if mark is None:
        return RequestState(taken_up=0, is_read=False)
    return RequestState(taken_up=mark.request, is_read=mark.reading is Reading.READ)
