"""The replication connection: a slot's messages in, positions that the log holds out.

Decodes no message of the plugin and decides no position: it confirms what it is told (Invariant 1).
https://www.postgresql.org/docs/current/protocol-replication.html
"""

from __future__ import annotations

import select
import time
from contextlib import suppress
from dataclasses import dataclass
from struct import Struct

import psycopg
from psycopg import pq, sql

from stenograph.errors import SourceUnavailable
from stenograph.sources.postgres.failures import mapped
from stenograph.sources.postgres.lsn import lsn_of, lsn_text
from stenograph.sources.postgres.messages import POSTGRES_EPOCH
from stenograph.sources.postgres.session import connect_for_replication

_XLOG_DATA = Struct("!QQq")
_KEEPALIVE = Struct("!QqB")
_STATUS = Struct("!cQQQqB")

_IN_USE = b"55006"
_IN_USE_SECONDS = 5.0
_LOOK_SECONDS = 0.05
_FRAMES_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Data:
    """A plugin message; `lsn` is where the change stands in the WAL, the same when it is sent again."""

    lsn: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Everything before `wal_end` has been sent; `wants_reply` means the server will soon cut us off."""

    wal_end: int
    wants_reply: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """Which server this is, and which of its histories."""

    system: str
    timeline: int


@dataclass(frozen=True, slots=True)
class Exported:
    """A new slot's consistent point and the snapshot of that instant."""

    consistent_point: int
    snapshot: str | None


class ReplicationConnection:
    """One connection in the replication protocol, before and while it streams."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._session = connect_for_replication(dsn)
        self._pg = self._session.pgconn
        self._confirmed = 0
        self._is_asking = False

    def identify(self) -> Identity:
        """IDENTIFY_SYSTEM."""
        system, timeline = self._row(self._done(self._pg.exec_(b"IDENTIFY_SYSTEM")))[:2]
        return Identity(system, int(timeline))

    def ask_for_slot(self, slot: str) -> None:
        """Begin to create a lasting slot; the answer waits for every transaction that runs now."""
        self._send(f"CREATE_REPLICATION_SLOT {quoted(slot)} LOGICAL pgoutput NOEXPORT_SNAPSHOT")

    def ask_for_snapshot(self, slot: str) -> None:
        """Begin to create a temporary slot with an exported snapshot, which lasts while this connection is idle."""
        self._send(f"CREATE_REPLICATION_SLOT {quoted(slot)} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT")

    def answer(self, until: float) -> Exported | None:
        """The slot asked for, waiting for it until that monotonic time; None when it is not there yet."""
        try:
            self._pg.consume_input()
            while self._pg.is_busy():
                left = until - time.monotonic()
                if left <= 0:
                    return None
                select.select([self._pg.socket], [], [], left)
                self._pg.consume_input()
            result = self._pg.get_result()
            while self._pg.get_result() is not None:
                pass
        except psycopg.Error as failure:
            raise mapped(failure, self._dsn) from failure
        self._is_asking = False
        _, point, snapshot, _ = self._row(self._done(result))
        return Exported(lsn_of(point), snapshot or None)

    def start(self, slot: str, publication: str, lsn: int) -> None:
        """Stream the slot's changes that commit at `lsn` or later."""
        self._confirmed = lsn
        # Invariant 7: without `streaming` the server sends a transaction only once it has committed.
        names = sql.Literal(quoted(publication)).as_string(None)
        command = (
            f"START_REPLICATION SLOT {quoted(slot)} LOGICAL {lsn_text(lsn)} "
            f"(proto_version '1', publication_names {names}, messages 'true')"
        )
        deadline = time.monotonic() + _IN_USE_SECONDS
        while (result := self._pg.exec_(command.encode())).status != pq.ExecStatus.COPY_BOTH:
            state = result.error_field(pq.DiagnosticField.SQLSTATE)
            if state != _IN_USE or time.monotonic() > deadline:
                raise mapped(self._failure(result), self._dsn)
            # A proof holds the slot for the moment in which it looks into it.
            time.sleep(_LOOK_SECONDS)

    def frame(self) -> bytes | None:
        """The next message as it came, or None when none has arrived. Never waits; answers nothing."""
        try:
            size, data = self._pg.get_copy_data(1)
            if size == 0:
                self._pg.consume_input()
                size, data = self._pg.get_copy_data(1)
        except psycopg.Error as failure:
            raise mapped(failure, self._dsn) from failure
        if size < 0:
            self._ended()
        return data.tobytes() if size else None

    def frames(self, most: int) -> list[bytes]:
        """As many messages as have arrived, so many at most and about 256 kB; none when none has. See `frame`."""
        first = self.frame()
        if first is None:
            return []
        found, left = [first], _FRAMES_BYTES - len(first)
        get = self._pg.get_copy_data
        try:
            while len(found) < most and left > 0:
                size, data = get(1)
                if size <= 0:
                    # What has not arrived, and the end of the stream, are for the next call.
                    break
                found.append(data.tobytes())
                left -= size
        except psycopg.Error as failure:
            raise mapped(failure, self._dsn) from failure
        return found

    def message(self, frame: bytes) -> Data | Keepalive:
        """What a frame is; a keepalive that wants an answer gets it."""
        if frame[:1] == b"w":
            return Data(_XLOG_DATA.unpack_from(frame, 1)[0], frame[1 + _XLOG_DATA.size :])
        wal_end, _, wants_reply = _KEEPALIVE.unpack_from(frame, 1)
        if wants_reply:
            self._status()
        return Keepalive(wal_end, bool(wants_reply))

    def wait(self, until: float) -> None:
        """Wait for something to read until that monotonic time."""
        left = until - time.monotonic()
        if left > 0:
            select.select([self._pg.socket], [], [], left)

    def confirm(self, lsn: int) -> None:
        """Tell the server that it may forget everything before `lsn`. Never moves backward."""
        self._confirmed = max(self._confirmed, lsn)
        self._status()

    def keep_alive(self) -> None:
        """Tell the server that we are here; confirms nothing new."""
        self._status()

    def ask_for_keepalive(self) -> None:
        """Have the server say at once how far it has sent."""
        self._status(wants_reply=1)

    def close(self) -> None:
        """End the connection, and what it asked for and was not given; safe to call twice."""
        if self._is_asking:
            self._is_asking = False
            # A server that waits for transactions does not see that we are gone: it would keep the slot until they end.
            with suppress(psycopg.Error):
                self._pg.get_cancel().cancel()
        self._session.close()

    def _status(self, wants_reply: int = 0) -> None:
        now = time.time_ns() // 1000 - POSTGRES_EPOCH
        at = self._confirmed
        try:
            self._pg.put_copy_data(_STATUS.pack(b"r", at, at, at, now, wants_reply))
            self._pg.flush()
        except psycopg.Error as failure:
            raise mapped(failure, self._dsn) from failure

    def _send(self, command: str) -> None:
        try:
            self._is_asking = True
            self._pg.send_query(command.encode())
            self._pg.flush()
        except psycopg.Error as failure:
            raise mapped(failure, self._dsn) from failure

    def _done(self, result: pq.abc.PGresult | None) -> pq.abc.PGresult:
        if result is None or result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
            raise mapped(self._failure(result), self._dsn)
        return result

    def _row(self, result: pq.abc.PGresult) -> list[str]:
        return [(result.get_value(0, place) or b"").decode() for place in range(result.nfields)]

    def _ended(self) -> None:
        result = self._pg.get_result()
        if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
            raise mapped(self._failure(result), self._dsn)
        raise SourceUnavailable(
            "The server ended the replication stream.",
            hint="It is probably shutting down; capture goes on when it is back.",
        )

    def _failure(self, result: pq.abc.PGresult | None) -> psycopg.Error:
        if result is None:
            return psycopg.OperationalError(self._pg.get_error_message())
        return psycopg.errors.error_from_result(result)


def quoted(name: str) -> str:
    """The name as an identifier in SQL and in replication commands."""
    return sql.Identifier(name).as_string(None)
