"""Requests to read a table again, as they travel from a command to a running capture, and its progress.

Says nothing of where a request is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stenograph.events import TableId
from stenograph.schemas import OnRewrite


@dataclass(frozen=True, slots=True, order=True)
class ReadRequest:
    """Somebody asks for a table to be read again. A later request for the same table has a higher `id`."""

    table: TableId
    id: int


class ReadRequests(Protocol):
    """The requests that a capture has not taken up yet, kept beside the log until it has.

    Promise: a request outlives both who made it and the capture. It is the source's position that says which one was
    taken up and done (see `RequestState`), so a request that is found again after a crash is not done twice.
    """

    def ask(self, request: ReadRequest) -> None:
        """Keep the request durably; LogUnavailable or LogRefused if it cannot be kept."""
        ...

    def pending(self) -> Sequence[ReadRequest]:
        """The requests kept, the oldest first. Called every few seconds: it must be cheap."""
        ...

    def forget(self, request: ReadRequest) -> None:
        """Let go of a request, which the stored position speaks of; one that is gone is no error."""
        ...


@dataclass(frozen=True, slots=True)
class Rereads:
    """What makes a source read a table again: requests, and the policy after a rewrite of each table."""

    requests: ReadRequests
    on_rewrite: Mapping[TableId, OnRewrite]


@dataclass(frozen=True, slots=True)
class RequestState:
    """What a stored position says of one table.

    `taken_up` is the newest request that capture has seen, 0 for none; `is_read` says whether the table's rows are in
    the log since.
    """

    taken_up: int
    is_read: bool

    def is_done(self, request: ReadRequest) -> bool:
        """Whether the log holds the rows that were asked for."""
        return self.is_read and self.taken_up >= request.id


@dataclass(frozen=True, slots=True)
class ReadProgress:
    """A table being read: rows given so far, about how many there are (None where nobody knows), seconds since."""

    table: TableId
    rows: int
    expected: int | None
    seconds: float

    @property
    def rows_per_second(self) -> float:
        """The mean rate."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0

    @property
    def percent(self) -> float | None:
        """How much of the table, where its size is known; 99.9 at most, for the size is an estimate."""
        return None if not self.expected else min(99.9, 100 * self.rows / self.expected)

    @property
    def seconds_left(self) -> float | None:
        """How long at the mean rate, where the table's size is known."""
        if self.expected is None or not self.rows_per_second:
            return None
        return max(0, self.expected - self.rows) / self.rows_per_second

    def __str__(self) -> str:
        percent = "" if self.percent is None else f", about {self.percent:.0f} %"
        left = "" if self.seconds_left is None else f", {self.seconds_left:,.0f} s left"
        return f"{self.table}: {self.rows:,} rows{percent}, {self.rows_per_second:,.0f} rows/s{left}"
