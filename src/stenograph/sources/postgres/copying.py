"""The lines of one COPY ... TO STDOUT, taken many at a time from the connection.

Decodes no line: what its fields say, others know.
"""

from __future__ import annotations

import select
import time
from contextlib import suppress
from typing import Final

import psycopg
from psycopg import pq, sql

from stenograph.events import TableId
from stenograph.sources.postgres.failures import mapped
from stenograph.sources.postgres.session import Session

_MOST: Final = 2048
_MOST_BYTES: Final = 1 << 20


class Copying:
    """A COPY of one table underway on a session, which is good for nothing else until it has ended.

    Everything raises what `mapped` makes of Postgres's errors. Trap: what the server refuses is seen by `lines`.
    """

    def __init__(self, session: Session, dsn: str, table: TableId, statement: sql.Composable) -> None:
        self._pg = session.pgconn
        self._dsn = dsn
        self._table = table
        self._has_begun = False
        self.is_over = False
        try:
            self._pg.send_query(statement.as_bytes(session))
            self._pg.flush()
        except psycopg.Error as failure:
            self.is_over = True
            raise mapped(failure, dsn, table=table) from failure

    def lines(self, until: float) -> list[bytes]:
        """The next lines with their newlines, about a megabyte at most.

        An empty list when the COPY is over, or when no line came until that monotonic time.
        """
        found: list[bytes] = []
        left = _MOST_BYTES
        try:
            if not self._begins(until):
                return found
            while not self.is_over and len(found) < _MOST and left > 0:
                size, data = self._pg.get_copy_data(1)
                if size == 0:
                    self._pg.consume_input()
                    size, data = self._pg.get_copy_data(1)
                if size > 0:
                    found.append(data.tobytes())
                    left -= size
                elif size < 0:
                    self._end(self._pg.get_result())
                elif found or not self._has_more(until):
                    break
        except psycopg.Error as failure:
            raise mapped(failure, self._dsn, table=self._table) from failure
        return found

    def close(self) -> None:
        """End the COPY, wherever it is; safe to call twice and after an error."""
        if not self.is_over and self._pg.status == pq.ConnStatus.OK:
            with suppress(psycopg.Error):
                self._pg.get_cancel().cancel()
                while (result := self._pg.get_result()) is not None:
                    while result.status == pq.ExecStatus.COPY_OUT and self._pg.get_copy_data(0)[0] > 0:
                        pass
        self.is_over = True

    def _begins(self, until: float) -> bool:
        # The server says that it begins together with the first rows.
        while not self._has_begun and not self.is_over:
            self._pg.consume_input()
            if self._pg.is_busy():
                if not self._has_more(until):
                    return False
                continue
            result = self._pg.get_result()
            self._has_begun = True
            if result is None or result.status != pq.ExecStatus.COPY_OUT:
                self._end(result)
        return True

    def _has_more(self, until: float) -> bool:
        left = max(until - time.monotonic(), 0.0)
        return bool(select.select([self._pg.socket], [], [], left)[0])

    def _end(self, result: pq.abc.PGresult | None) -> None:
        self.is_over = True
        failed = None
        while result is not None:
            if result.status == pq.ExecStatus.FATAL_ERROR:
                failed = result
            result = self._pg.get_result()
        if failed is not None:
            raise psycopg.errors.error_from_result(failed)
