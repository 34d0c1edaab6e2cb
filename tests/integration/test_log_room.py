"""The embedded log's size and segments on a real file: retention by size, refusal, damage, large and small records."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from stenograph.diagnosis import Diagnosis, State
from stenograph.errors import Action, LogRefused, LogUnavailable
from stenograph.logs.embedded import retention, room
from stenograph.logs.embedded.audit import EmbeddedLogAudit
from stenograph.logs.embedded.checkup import EmbeddedLogCheckup
from stenograph.logs.embedded.division import divide
from stenograph.logs.embedded.reader import EmbeddedLogReader
from stenograph.logs.embedded.room import live_bytes
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from stenograph.offsets import Partition, order_of
from stenograph.ports import EncodedBatch
from tests.log_samples import batch, poll_until, position, records_of, seek_all

TOPIC = "crm.public.lead"
PLACE = Partition(TOPIC, 0)
SIZE = 16_000_000
SETTINGS = EmbeddedLogSettings(kind="embedded", max_size="16MB")
MEGABYTE = 1_000_000
NO_WAIT = timedelta(0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@contextmanager
def _writing(path: Path, settings: EmbeddedLogSettings = SETTINGS) -> Iterator[EmbeddedLogWriter]:
    with closing(EmbeddedLogWriter(path, settings)) as writer:
        yield writer


@contextmanager
def _reading(path: Path) -> Iterator[EmbeddedLogReader]:
    with closing(EmbeddedLogReader(path, SETTINGS, group="sink", topics=[TOPIC])) as reader:
        yield reader


def _megabyte(number: int, topic: str = TOPIC) -> EncodedBatch:
    """A hundred young records without a key, together a megabyte."""
    numbers = range(100 * number, 100 * number + 100)
    return EncodedBatch(
        "crm",
        "crm/stream/1-1",
        [topic] * 100,
        [None] * 100,
        [bytes(MEGABYTE // 100)] * 100,
        [int(time.time() * 1000)] * 100,
        [order_of(1, each, each, 0) for each in numbers],
        [()] * 100,
        position(number + 1),
    )


def _extent(path: Path, place: Partition = PLACE) -> tuple[int, int]:
    with closing(EmbeddedLogAudit(path)) as audit:
        extent = audit.extents()[place]
        return extent.first, extent.end


def _live(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return live_bytes(connection)


def _append_until_refused(writer: EmbeddedLogWriter, first: int = 0) -> tuple[int, LogUnavailable]:
    """How many megabytes were taken, and the refusal of the next one."""
    for number in range(first, 100):
        try:
            writer.append(_megabyte(number))
        except LogUnavailable as refusal:
            return number, refusal
    pytest.fail("the log never reached its size")


def _size_points(path: Path) -> list[Diagnosis]:
    points = EmbeddedLogCheckup(path, SETTINGS, "crm").examine()
    return [point for point in points if point.name == "size"]


def test_at_its_size_the_log_lets_go_of_what_is_stored_however_young(path: Path) -> None:
    with _writing(path) as writer, _reading(path) as reader:
        for number in range(40):
            writer.append(_megabyte(number))
            reader.assigned()
            reader.report({PLACE: 100 * number + 100})
            assert _live(path) < SIZE + 2 * MEGABYTE
    first, end = _extent(path)
    assert 0 < first < end == 4000
    assert first % 100 == 0
    assert _size_points(path) == []


def test_of_two_topics_the_records_appended_first_go_first(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "REMOVED_BYTES", MEGABYTE)
    other = Partition("crm.public.contact", 0)
    with _writing(path) as writer, _reading(path) as reader:
        for number in range(6):
            writer.append(_megabyte(number))
        writer.append(_megabyte(6, other.topic))
        reader.report({PLACE: 600, other: 100})
        for number in range(7, 17):
            writer.append(_megabyte(number, other.topic))
    assert 0 < _extent(path)[0] < 600
    assert _extent(path, other)[0] == 0


def test_a_log_full_of_what_no_sink_has_stored_refuses_and_goes_on_when_it_has(path: Path) -> None:
    """Invariant 2."""
    with _writing(path) as writer, _reading(path) as reader:
        writer.append(_megabyte(0))
        seek_all(reader)
        reader.report({PLACE: 0})
        taken, refusal = _append_until_refused(writer, 1)
        assert refusal.action is Action.RETRY
        assert "steno status" in refusal.hint
        assert _live(path) < SIZE + 2 * MEGABYTE
        assert writer.position("crm") == position(taken)
        assert _extent(path) == (0, 100 * taken)
        (full,) = _size_points(path)
        assert full.state is State.FAULT
        assert "steno sink -p crm" in (full.fix or "")
        with pytest.raises(LogUnavailable, match="reached its size"):
            writer.append(_megabyte(taken))
        got = poll_until(reader, 400, limit=400)
        reader.report({PLACE: got[-1].stop})
        assert _size_points(path) == []
        writer.append(_megabyte(taken))
        assert _extent(path) == (got[-1].stop, 100 * taken + 100)
        left = poll_until(reader, 100 * taken + 100 - got[-1].stop)
        assert [order for one in left for order in one.orders][-1] == order_of(
            1, 100 * taken + 99, 100 * taken + 99, 0
        )


def test_a_log_that_no_sink_has_ever_read_stops_at_its_size_too(path: Path) -> None:
    with _writing(path) as writer:
        taken, _ = _append_until_refused(writer)
        writer.append(EncodedBatch("crm", "lane", upto=position(taken + 9)))
        assert writer.position("crm") == position(taken + 9)
    assert _extent(path) == (0, 100 * taken)


def test_a_log_that_is_nearly_full_of_what_no_sink_has_stored_is_a_warning(path: Path) -> None:
    with _writing(path) as writer:
        for number in range(14):
            writer.append(_megabyte(number))
        assert _size_points(path) == []
        writer.append(_megabyte(14))
    assert [point.state for point in _size_points(path)] == [State.WARNING]


def test_a_batch_larger_than_the_size_is_taken_when_nothing_else_is_there(path: Path) -> None:
    large = batch(TOPIC, 0, 3, keys=[None] * 3, upto=position(1))
    large = EncodedBatch(
        "crm", "lane", large.topics, large.keys, [bytes(20 * MEGABYTE)] * 3, large.timestamps, large.orders,
        large.headers, large.upto,
    )  # fmt: skip
    with _writing(path) as writer, _reading(path) as reader:
        writer.append(large)
        with pytest.raises(LogUnavailable):
            writer.append(_megabyte(1))
        seek_all(reader)
        reader.report({PLACE: 3})
        writer.append(large)
        assert _extent(path) == (3, 6)


def test_a_size_that_was_lowered_is_reached_piece_by_piece_without_a_refusal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "REMOVED_BYTES", 4 * MEGABYTE)
    with _writing(path, EmbeddedLogSettings(kind="embedded")) as writer, _reading(path) as reader:
        for number in range(40):
            writer.append(_megabyte(number))
        seek_all(reader)
        reader.report({PLACE: 4000})
    firsts = []
    with _writing(path) as writer:
        for number in range(40, 50):
            writer.append(_megabyte(number))
            firsts.append(_extent(path)[0])
    assert firsts == sorted(firsts)
    assert firsts[0] <= 600
    assert firsts[-1] > 2500
    assert _live(path) < SIZE + 2 * MEGABYTE


def test_many_small_segments_are_removed_a_limited_number_at_a_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "REMOVED_SEGMENTS", 10)
    with _writing(path) as writer, _reading(path) as reader:
        for number in range(35):
            writer.append(batch(TOPIC, number, 1, keys=[None], timestamp=1_000))
        reader.report({PLACE: 35})
    with _writing(path) as writer:
        for left in (10, 20, 30, 35, 35):
            writer.append(EncodedBatch("crm", "lane", upto=position(1)))
            assert _extent(path)[0] == left


def test_thousands_of_segments_of_one_record_are_read_from_any_place(path: Path) -> None:
    count = 2000
    with _writing(path) as writer, _reading(path) as reader:
        for number in range(count):
            writer.append(batch(TOPIC, number, 1, keys=[None], upto=position(number)))
        seek_all(reader)
        orders = [order for _, _, order in records_of(poll_until(reader, count, limit=count))]
        assert orders == [order_of(1, number, number, 0) for number in range(count)]
        reader.seek(PLACE, 1234)
        (got,) = reader.poll(5, NO_WAIT)
        assert (got.start, list(got.orders), got.stop) == (1234, orders[1234:1239], 1239)


def test_a_poll_joins_segments_and_parts_of_them(path: Path) -> None:
    with _writing(path) as writer, _reading(path) as reader:
        for first in range(0, 100, 10):
            writer.append(batch(TOPIC, first, 10, keys=[None] * 10))
        seek_all(reader)
        reader.seek(PLACE, 7)
        (got,) = reader.poll(25, NO_WAIT)
        assert got.offsets == range(7, 32)
        assert list(got.orders) == [order_of(1, number, number, 0) for number in range(7, 32)]
        part = got.between(9, 12)
        assert (part.offsets, list(part.orders)) == (range(9, 12), list(got.orders)[2:5])
        assert [part.timestamps[0], *part.timestamps][1:] == list(got.timestamps)[2:5]


def _cut(payload: bytes) -> bytes:
    return payload[:-1]


def _renumbered(payload: bytes) -> bytes:
    return b"\x09" + payload[1:]


def _halved(payload: bytes) -> bytes:
    return payload[: len(payload) // 2]


def _another(_: bytes) -> bytes:
    (share,) = divide(batch(TOPIC, 0, 9, keys=[None] * 9), 4)
    return b"".join(share.pieces)


@pytest.mark.parametrize("damage", [_cut, _renumbered, _halved, _another])
def test_a_damaged_segment_is_named_and_never_skipped(path: Path, damage: Callable[[bytes], bytes]) -> None:
    with _writing(path) as writer, _reading(path) as reader:
        for first in (0, 10):
            writer.append(batch(TOPIC, first, 10, keys=[None] * 10))
        with closing(sqlite3.connect(path)) as file, file:
            (payload,) = file.execute("SELECT payload FROM segments WHERE first = 10").fetchone()
            file.execute("UPDATE segments SET payload = ? WHERE first = 10", (damage(payload),))
        seek_all(reader)
        assert len(records_of(reader.poll(10, NO_WAIT))) == 10
        for _ in range(2):
            with pytest.raises(LogRefused, match="damaged") as refusal:
                reader.poll(10, NO_WAIT)
            assert (refusal.value.facts["partition"], refusal.value.facts["offset"]) == (PLACE, 10)
        with closing(EmbeddedLogAudit(path)) as audit, pytest.raises(LogRefused, match="damaged"):
            audit.records(PLACE, 15, 1)


@pytest.mark.parametrize("missing", [0, 10, 20])
def test_a_segment_that_is_missing_is_no_end_and_no_hole(path: Path, missing: int) -> None:
    with _writing(path) as writer, _reading(path) as reader:
        for first in (0, 10, 20):
            writer.append(batch(TOPIC, first, 10, keys=[None] * 10))
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("DELETE FROM segments WHERE first = ?", (missing,))
        seek_all(reader)
        with pytest.raises(LogRefused, match="damaged"):
            poll_until(reader, 30, limit=10)


def test_a_record_larger_than_sqlite_can_hold_is_refused_and_nothing_of_its_batch_stored(path: Path) -> None:
    with _writing(path) as writer:
        writer.append(_megabyte(0))
        writer._open().connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MEGABYTE // 2)
        with pytest.raises(LogRefused, match="larger than"):
            writer.append(_megabyte(1))
        assert writer.position("crm") == position(1)
    assert _extent(path) == (0, 100)


_ONE_LARGE_RECORD = """
import resource
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from stenograph.logs.embedded.reader import EmbeddedLogReader
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from stenograph.ports import EncodedBatch

path, size = Path(sys.argv[2]), 100_000_000
settings = EmbeddedLogSettings(kind="embedded")

def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

with closing(EmbeddedLogWriter(path, settings)) as log:
    small = [[None], [b"v"], [1], [bytes(24)], [()]]
    if sys.argv[1] == "append":
        log.append(EncodedBatch("crm", "lane", ["t"], *small))
        value = bytes(size)
        before = peak()
        log.append(EncodedBatch("crm", "lane", ["t"], [None], [value], [1], [bytes(24)], [()]))
    else:
        with closing(EmbeddedLogReader(path, settings, group="sink", topics=["t"])) as reader:
            for partition in reader.assigned():
                reader.seek(partition, 0)
            (got,) = reader.poll(1, timedelta(0))
            before = peak()
            (got,) = reader.poll(1, timedelta(0))
            assert got.values.array.buffers()[2].size >= size
print((peak() - before) / size)
"""


def test_a_large_record_takes_a_small_multiple_of_its_size_in_memory(path: Path) -> None:
    def copies(step: str) -> float:
        ran = subprocess.run(
            [sys.executable, "-c", _ONE_LARGE_RECORD, step, str(path)],
            capture_output=True,
            text=True,
            check=True,
        )
        return float(ran.stdout)

    assert copies("append") < 2.5
    assert copies("read") < 2.5
