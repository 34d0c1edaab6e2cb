"""What every change log promises: writer, reader and audit, as the ports word it.

An adapter joins with one line in `LOGS`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Protocol, cast

import pytest

from stenograph.errors import LogRefused
from stenograph.logs.embedded.audit import EmbeddedLogAudit
from stenograph.logs.embedded.reader import EmbeddedLogReader
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from stenograph.offsets import Partition
from stenograph.packing import Packed, coded, packed
from stenograph.ports import ChangeLogAudit, ChangeLogReader, ChangeLogWriter, EncodedBatch
from tests.log_samples import batch, poll_until, position, records_of, seek_all, sent

NO_WAIT = timedelta(0)


class Log(Protocol):
    """One log under test; everything it opens is closed when the test ends."""

    def writer(self, partitions: int = 4) -> ChangeLogWriter: ...

    def reader(self, *topics: str, group: str = "sink", partitions: int = 4) -> ChangeLogReader: ...

    def audit(self) -> ChangeLogAudit: ...


class EmbeddedLog:
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._path = folder / "log.db"
        self._stack = stack

    def writer(self, partitions: int = 4) -> ChangeLogWriter:
        return self._stack.enter_context(closing(EmbeddedLogWriter(self._path, _settings(partitions))))

    def reader(self, *topics: str, group: str = "sink", partitions: int = 4) -> ChangeLogReader:
        opened = EmbeddedLogReader(self._path, _settings(partitions), group=group, topics=topics)
        return self._stack.enter_context(closing(opened))

    def audit(self) -> ChangeLogAudit:
        return self._stack.enter_context(closing(EmbeddedLogAudit(self._path)))


def _settings(partitions: int) -> EmbeddedLogSettings:
    return EmbeddedLogSettings(kind="embedded", partitions=partitions)


LOGS: dict[str, Callable[[Path, ExitStack], Log]] = {"embedded": EmbeddedLog}


@pytest.fixture(params=LOGS)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    with ExitStack() as stack:
        yield LOGS[request.param](tmp_path, stack)


@pytest.fixture
def topic() -> str:
    return f"crm.public.lead_{uuid.uuid4().hex[:8]}"


def _ready(log: Log, *topics: str, group: str = "sink") -> ChangeLogReader:
    reader = log.reader(*topics, group=group)
    seek_all(reader)
    return reader


def _orders(batches: Sequence[EncodedBatch]) -> list[bytes]:
    return [order for one in batches for order in one.orders]


def test_what_was_appended_is_read_with_every_part_of_it(log: Log, topic: str) -> None:
    appended = batch(topic, 0, 20, timestamp=1_700_000_000_123)
    log.writer().append(appended)
    got = poll_until(_ready(log, topic), 20)
    assert sorted(records_of(got), key=repr) == sorted(sent(appended), key=repr)
    headers = {order: of for one in got for order, of in zip(one.orders, one.headers, strict=True)}
    assert headers == dict(zip(appended.orders, appended.headers, strict=True))
    assert {lane for one in got for lane in one.lanes} == {appended.lane}
    assert {stamp for one in got for stamp in one.timestamps} == {1_700_000_000_123}


def test_a_batch_in_arrays_is_stored_as_the_same_batch_in_lists(log: Log, topic: str) -> None:
    writer = log.writer()
    lists = batch(topic, 0, 20)
    arrays = EncodedBatch(
        lists.source,
        lists.lane,
        coded(lists.topics),
        Packed(packed(lists.keys)),
        Packed(packed(lists.values)),
        lists.timestamps,
        cast("Sequence[bytes]", Packed(packed(lists.orders))),
        coded(lists.headers),
        position(1),
    )
    writer.append(lists)
    writer.append(arrays)
    for one in poll_until(_ready(log, topic), 40):
        records = list(
            zip(one.timestamps, one.keys, one.values, one.lanes, one.orders, one.headers, strict=True)
        )
        assert records[: len(records) // 2] == records[len(records) // 2 :]


def test_each_partition_keeps_the_order_of_appends(log: Log, topic: str) -> None:
    writer = log.writer()
    for first in range(0, 60, 20):
        writer.append(batch(topic, first, 20))
    by_partition: dict[Partition, list[bytes]] = {}
    for one in poll_until(_ready(log, topic), 60, limit=7):
        by_partition.setdefault(one.partition, []).extend(order for order in one.orders if order)
    assert sum(map(len, by_partition.values())) == 60
    assert all(orders == sorted(orders) for orders in by_partition.values())
    assert len(by_partition) > 1


def test_a_key_always_goes_to_the_same_partition(log: Log, topic: str) -> None:
    keys: list[bytes | None] = [b"foobar", b"21", b"abc"]
    for first in (0, 3, 6):
        log.writer().append(batch(topic, first, 3, keys=keys))
    places: dict[bytes | None, set[Partition]] = {}
    for one in poll_until(_ready(log, topic), 9):
        for key in one.keys:
            places.setdefault(key, set()).add(one.partition)
    assert {key: len(where) for key, where in places.items()} == dict.fromkeys(keys, 1)


def test_records_without_a_key_share_partition_0(log: Log, topic: str) -> None:
    log.writer().append(batch(topic, 0, 5, keys=[None] * 5))
    assert {one.partition for one in poll_until(_ready(log, topic), 5)} == {Partition(topic, 0)}


def test_a_batch_may_hold_several_topics(log: Log, topic: str) -> None:
    log.writer().append(batch([topic, f"{topic}_2"], 0, 10))
    got = poll_until(_ready(log, topic, f"{topic}_2"), 10)
    assert {one.partition.topic for one in got} == {topic, f"{topic}_2"}


def test_offsets_and_stop_tell_where_to_read_on(log: Log, topic: str) -> None:
    log.writer().append(batch(topic, 0, 40))
    reader = _ready(log, topic)
    place = dict.fromkeys(reader.assigned(), 0)
    for one in poll_until(reader, 40, limit=3):
        assert one.start == place[one.partition]
        assert list(one.offsets) == sorted(set(one.offsets))
        assert one.start <= one.offsets[0]
        assert one.offsets[-1] < one.stop
        place[one.partition] = one.stop
    extents = log.audit().extents()
    assert place == {partition: extents[partition].end for partition in place}


def test_a_position_is_stored_with_its_records(log: Log, topic: str) -> None:
    writer = log.writer()
    assert writer.position("crm") is None
    writer.append(batch(topic, 0, 3, upto=position(3)))
    assert writer.position("crm") == position(3)
    assert log.writer().position("crm") == position(3)
    assert log.audit().position("crm") == position(3)
    assert writer.position("billing") is None


def test_a_batch_inside_a_transaction_leaves_the_position_where_it_was(log: Log, topic: str) -> None:
    writer = log.writer()
    writer.append(batch(topic, 0, 3, upto=position(3)))
    writer.append(batch(topic, 3, 3))
    assert writer.position("crm") == position(3)


def test_a_batch_without_records_moves_the_position(log: Log) -> None:
    writer = log.writer()
    writer.append(EncodedBatch("crm", "lane", upto=position(9)))
    assert writer.position("crm") == position(9)


def test_an_equal_position_may_resume_elsewhere(log: Log) -> None:
    writer = log.writer()
    writer.append(EncodedBatch("crm", "lane", upto=position(9, b"one")))
    writer.append(EncodedBatch("crm", "lane", upto=position(9, b"two")))
    assert writer.position("crm") == position(9, b"two")


def test_a_lower_position_is_refused_and_its_records_with_it(log: Log, topic: str) -> None:
    """Invariant 8."""
    writer = log.writer()
    writer.append(batch(topic, 0, 3, upto=position(9)))
    with pytest.raises(LogRefused, match="backward"):
        writer.append(batch(topic, 3, 3, upto=position(8)))
    assert writer.position("crm") == position(9)
    assert sum(extent.end - extent.first for extent in log.audit().extents().values()) == 3


def test_sources_have_positions_of_their_own(log: Log, topic: str) -> None:
    writer = log.writer()
    writer.append(batch(topic, 0, 1, upto=position(9)))
    writer.append(batch(topic, 1, 1, source="billing", upto=position(2)))
    assert (writer.position("crm"), writer.position("billing")) == (position(9), position(2))


def test_a_topic_keeps_its_partition_count(log: Log, topic: str) -> None:
    log.writer(4).append(batch(topic, 0, 3))
    with pytest.raises(LogRefused, match="partitions") as refusal:
        log.writer(8).append(batch(topic, 3, 3))
    assert "live topic" in refusal.value.hint


def test_partitions_are_assigned_once_their_topic_exists(log: Log, topic: str) -> None:
    reader = log.reader(topic)
    assert reader.assigned() == {}
    log.writer().append(batch([topic, f"{topic}_other"], 0, 2))
    assigned = reader.assigned()
    assert set(assigned) == {Partition(topic, number) for number in range(4)}
    assert {assignment.partition_count for assignment in assigned.values()} == {4}
    extents = log.audit().extents()
    assert all(extents[partition].generation == assigned[partition].generation for partition in assigned)


def test_only_partitions_that_were_sought_are_read(log: Log, topic: str) -> None:
    log.writer().append(batch(topic, 0, 40))
    reader = log.reader(topic)
    wanted = next(partition for partition, extent in log.audit().extents().items() if extent.end)
    assert set(reader.assigned()) > {wanted}
    assert reader.poll(100, NO_WAIT) == ()
    reader.seek(wanted, 0)
    assert {one.partition for one in poll_until(reader, 1)} == {wanted}


def test_seeking_reads_again_from_there(log: Log, topic: str) -> None:
    log.writer().append(batch(topic, 0, 10, keys=[None] * 10))
    reader = _ready(log, topic)
    first = records_of(poll_until(reader, 10))
    middle = log.audit().records(Partition(topic, 0), 0, 10).offsets[6]
    reader.seek(Partition(topic, 0), middle)
    assert records_of(poll_until(reader, 4)) == first[6:]


def test_seeking_beyond_the_end_is_refused(log: Log, topic: str) -> None:
    log.writer().append(batch(topic, 0, 10))
    reader = log.reader(topic)
    partition, extent = next(iter(log.audit().extents().items()))
    assert partition in reader.assigned()
    reader.seek(partition, extent.end)
    with pytest.raises(LogRefused, match="ends before") as refusal:
        reader.seek(partition, extent.end + 1)
    assert "older copy" in refusal.value.hint


def test_seeking_a_partition_that_is_not_assigned_is_refused(log: Log, topic: str) -> None:
    log.writer().append(batch([topic, f"{topic}_other"], 0, 10))
    with pytest.raises(LogRefused):
        log.reader(topic).seek(Partition(f"{topic}_other", 0), 0)


def test_a_poll_gives_at_most_its_limit_and_a_batch_per_partition(log: Log, topic: str) -> None:
    log.writer().append(batch(topic, 0, 200))
    reader = _ready(log, topic)
    got = 0
    while got < 200:
        batches = reader.poll(9, timedelta(seconds=5))
        assert 0 < sum(map(len, batches)) <= 9
        assert len({one.partition for one in batches}) == len(batches)
        got += sum(map(len, batches))


def test_a_busy_partition_does_not_hold_up_the_others(log: Log, topic: str) -> None:
    writer = log.writer()
    writer.append(batch(topic, 0, 2000, keys=[None] * 2000))
    writer.append(batch(f"{topic}_quiet", 2000, 1, keys=[None]))
    reader = _ready(log, topic, f"{topic}_quiet")
    seen: set[str] = set()
    for _ in range(10):
        seen |= {one.partition.topic for one in reader.poll(1, timedelta(seconds=5))}
    assert seen == {topic, f"{topic}_quiet"}


def test_an_idle_poll_waits_no_longer_than_it_may(log: Log, topic: str) -> None:
    log.writer().append(batch(topic, 0, 1))
    reader = _ready(log, topic)
    poll_until(reader, 1)
    begun = time.monotonic()
    assert reader.poll(10, timedelta(milliseconds=150)) == ()
    assert time.monotonic() - begun >= 0.15


def test_a_reader_sees_what_is_appended_after_it_was_opened(log: Log, topic: str) -> None:
    writer = log.writer()
    writer.append(batch(topic, 0, 1))
    reader = _ready(log, topic)
    poll_until(reader, 1)
    writer.append(batch(topic, 1, 5))
    assert len(records_of(poll_until(reader, 5))) == 5


def test_readers_do_not_disturb_each_other(log: Log, topic: str) -> None:
    log.writer().append(batch(topic, 0, 30))
    one, other = _ready(log, topic, group="one"), _ready(log, topic, group="other")
    first = poll_until(one, 30)
    one.report({batch.partition: batch.stop for batch in first})
    assert sorted(records_of(poll_until(other, 30)), key=repr) == sorted(records_of(first), key=repr)


def test_a_report_moves_no_reader(log: Log, topic: str) -> None:
    log.writer().append(batch(topic, 0, 30))
    reader = _ready(log, topic)
    reader.report({partition: extent.end for partition, extent in log.audit().extents().items()})
    assert len(records_of(poll_until(reader, 30))) == 30


def test_an_audit_reads_any_stretch(log: Log, topic: str) -> None:
    appended = batch(topic, 0, 10, keys=[None] * 10)
    log.writer().append(appended)
    audit = log.audit()
    place = Partition(topic, 0)
    everything = audit.records(place, audit.extents()[place].first, 100)
    assert records_of([everything]) == sent(appended)
    part = audit.records(place, everything.offsets[3], 4)
    assert records_of([part]) == sent(appended)[3:7]
    assert len(audit.records(place, audit.extents()[place].end, 4)) == 0


def test_the_same_batch_may_be_appended_again(log: Log, topic: str) -> None:
    writer = log.writer()
    again = batch(topic, 0, 5, upto=position(5))
    writer.append(again)
    writer.append(again)
    got = poll_until(_ready(log, topic), 10)
    assert sorted(order for one in got for order in one.orders if order) == sorted(_orders([again, again]))


def test_everything_may_be_closed_twice(log: Log, topic: str) -> None:
    writer = log.writer()
    writer.append(batch(topic, 0, 1))
    for opened in (writer, log.reader(topic), log.audit()):
        opened.close()
        opened.close()
