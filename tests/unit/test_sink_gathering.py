"""What several polls give becomes one flush: nothing lost, nothing twice, and no more than the limits and one poll."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import cast

import numpy as np
import pyarrow as pa

from stenograph.history import FlushLimits
from stenograph.offsets import Assignment, Partition
from stenograph.packing import Coded, Packed
from stenograph.ports import LoggedBatch
from stenograph.sink.gathering import gathered

WAIT = timedelta(seconds=1)
ONE, TWO = Partition("t", 0), Partition("t", 1)


def listed(at: Partition, start: int, count: int, size: int = 10) -> LoggedBatch:
    offsets = list(range(start, start + count))
    return LoggedBatch(
        partition=at,
        generation="g",
        start=start,
        stop=start + count,
        offsets=offsets,
        timestamps=[offset * 10 for offset in offsets],
        keys=[str(offset).encode() for offset in offsets],
        values=[None if offset % 5 == 0 else b"v" * size for offset in offsets],
        lanes=[f"lane {start}"] * count,
        orders=[str(offset).encode() for offset in offsets],
        headers=[(("h", str(start).encode()),)] * count,
    )


def packed(at: Partition, start: int, count: int, size: int = 10) -> LoggedBatch:
    plain = listed(at, start, count, size)
    return LoggedBatch(
        partition=at,
        generation="g",
        start=start,
        stop=plain.stop,
        offsets=range(start, plain.stop),
        timestamps=cast("Sequence[int]", np.array(plain.timestamps, np.int64)),
        keys=Packed(pa.array(plain.keys, pa.large_binary())),
        values=Packed(pa.array(plain.values, pa.large_binary())),
        lanes=Coded([f"lane {start}", "unused"], np.zeros(count, np.int32)),
        orders=Packed(pa.array(plain.orders, pa.large_binary())),
        headers=Coded([(("h", str(start).encode()),)], np.zeros(count, np.int32)),
    )


class Log:
    """Gives prepared polls, then nothing, and notes what was asked."""

    def __init__(self, *polls: Sequence[LoggedBatch]) -> None:
        self.polls = list(polls)
        self.asked: list[tuple[int, timedelta]] = []

    def poll(self, limit: int, wait: timedelta) -> Sequence[LoggedBatch]:
        self.asked.append((limit, wait))
        return self.polls.pop(0) if self.polls else ()

    def assigned(self) -> Mapping[Partition, Assignment]:
        return {}

    def seek(self, partition: Partition, offset: int) -> None:
        return

    def report(self, offsets: Mapping[Partition, int]) -> None:
        return

    def close(self) -> None:
        return


def take(log: Log, rows: int, size: int = 1 << 20) -> tuple[list[LoggedBatch], bool]:
    return gathered(log, FlushLimits(rows=rows, bytes=size, seconds=0), WAIT)


def test_polls_are_gathered_to_the_row() -> None:
    log = Log([listed(ONE, 0, 30), listed(TWO, 0, 30)], [listed(ONE, 30, 40)], [listed(TWO, 30, 99)])
    batches, is_more_waiting = take(log, 100)
    assert [(batch.partition, batch.stop) for batch in batches] == [(ONE, 30), (TWO, 30), (ONE, 70)]
    assert is_more_waiting
    assert log.asked == [(100, WAIT), (40, timedelta(0))]


def test_gathering_ends_with_the_poll_that_passes_the_bytes() -> None:
    log = Log([packed(ONE, 1, 4, 1000)], [packed(ONE, 5, 4, 1000)], [packed(ONE, 9, 4, 1000)])
    batches, is_more_waiting = take(log, 1000, size=5_000)
    assert (batches[-1].stop, is_more_waiting) == (9, True)


def test_little_is_stored_at_once_instead_of_asking_for_more() -> None:
    log = Log([listed(ONE, 0, 3)], [listed(ONE, 3, 3)])
    (batch,), is_more_waiting = take(log, 1000)
    assert (batch.stop, is_more_waiting, len(log.asked)) == (3, False, 1)


def test_an_empty_log_gives_nothing() -> None:
    log = Log()
    assert take(log, 1000) == ([], False)
    assert log.asked == [(1000, WAIT)]
