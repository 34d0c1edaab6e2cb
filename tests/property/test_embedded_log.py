"""Whatever is done to an embedded log, it holds what a list in memory would hold."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from stenograph.errors import LogRefused
from stenograph.logs.embedded.audit import EmbeddedLogAudit
from stenograph.logs.embedded.partitioner import partition_of
from stenograph.logs.embedded.reader import EmbeddedLogReader
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from stenograph.offsets import Partition, Position
from stenograph.ports import EncodedBatch, Extent, Headers
from tests.log_samples import position

PARTITIONS = 2
SETTINGS = EmbeddedLogSettings(kind="embedded", partitions=PARTITIONS)
TOPICS = ("crm.public.lead", "crm.public.contact")
GROUPS = ("one", "other")
LANES = ("crm/stream/1-1", "crm/snapshot/1/lead/1")
LONG_AGO = 1_000
NOW = int(time.time() * 1000)

Stored = tuple[int, bytes | None, bytes | None, str, bytes, Headers]

RECORD = st.tuples(
    st.sampled_from(TOPICS),
    st.none() | st.binary(max_size=3),
    st.none() | st.binary(max_size=20),
    st.sampled_from((LONG_AGO, LONG_AGO, NOW)),
    st.binary(min_size=24, max_size=24),
    st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=2).map(tuple),
)


@dataclass
class Model:
    """The log as lists: every record ever appended, where each partition's held ones begin, and its segments' ends."""

    records: dict[Partition, list[Stored]] = field(default_factory=dict)
    first: dict[Partition, int] = field(default_factory=dict)
    segments: dict[Partition, list[int]] = field(default_factory=dict)
    position: Position | None = None
    reports: dict[str, dict[Partition, int]] = field(default_factory=lambda: {group: {} for group in GROUPS})
    retention_due: bool = True

    def append(self, batch: EncodedBatch) -> None:
        for topic in batch.topics:
            for number in range(PARTITIONS):
                self.records.setdefault(Partition(topic, number), [])
                self.first.setdefault(Partition(topic, number), 0)
        for topic, key, value, timestamp, order, headers in zip(
            batch.topics, batch.keys, batch.values, batch.timestamps, batch.orders, batch.headers, strict=True
        ):
            place = Partition(topic, partition_of(key, PARTITIONS))
            self.records[place].append((timestamp, key, value, batch.lane, order, headers))
        for place, held in self.records.items():
            ends = self.segments.setdefault(place, [0])
            if len(held) > ends[-1]:
                ends.append(len(held))
        self.position = batch.upto or self.position
        if self.retention_due and (len(batch) or batch.upto):
            self.retention_due = False
            self._retain()

    def _retain(self) -> None:
        for place, held in self.records.items():
            groups = [
                group for group, seen in self.reports.items() if any(p.topic == place.topic for p in seen)
            ]
            least = min((self.reports[group].get(place, 0) for group in groups), default=0)
            for stop in self.segments[place]:
                segment = held[self.first[place] : stop]
                if stop > least or any(timestamp != LONG_AGO for timestamp, *_ in segment):
                    break
                self.first[place] = max(self.first[place], stop)


class EmbeddedLogMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="steno-log-"))
        self.path = self.folder / "log.db"
        self.model = Model()
        self.places: dict[str, dict[Partition, int]] = {group: {} for group in GROUPS}
        self.readers = {group: self._reader(group) for group in GROUPS}
        self.audit = EmbeddedLogAudit(self.path)
        self.writer = EmbeddedLogWriter(self.path, SETTINGS)

    def _reader(self, group: str) -> EmbeddedLogReader:
        return EmbeddedLogReader(self.path, SETTINGS, group=group, topics=TOPICS)

    def _batch(
        self, drawn: list[tuple[str, bytes, bytes, int, bytes, Headers]], upto: Position | None
    ) -> EncodedBatch:
        lane = LANES[len(drawn) % len(LANES)]
        if not drawn:
            return EncodedBatch("crm", lane, upto=upto)
        topics, keys, values, timestamps, orders, headers = zip(*drawn, strict=True)
        return EncodedBatch("crm", lane, topics, keys, values, timestamps, orders, headers, upto)

    @rule(drawn=st.lists(RECORD, max_size=12), moves=st.none() | st.integers(0, 3))
    def append(self, drawn: list[tuple[str, bytes, bytes, int, bytes, Headers]], moves: int | None) -> None:
        held = 0 if self.model.position is None else int.from_bytes(self.model.position.order[4:12])
        batch = self._batch(
            drawn, None if moves is None else position(held + moves, str(len(drawn)).encode())
        )
        self.writer.append(batch)
        self.model.append(batch)

    @rule(drawn=st.lists(RECORD, max_size=3))
    def append_with_a_lower_position(
        self, drawn: list[tuple[str, bytes, bytes, int, bytes, Headers]]
    ) -> None:
        if self.model.position is not None and self.model.position.order > position(0).order:
            with pytest.raises(LogRefused):
                self.writer.append(self._batch(drawn, position(0)))

    @rule()
    def open_the_writer_again(self) -> None:
        self.writer.close()
        self.writer = EmbeddedLogWriter(self.path, SETTINGS)
        self.model.retention_due = True

    @rule(group=st.sampled_from(GROUPS))
    def open_a_reader_again(self, group: str) -> None:
        self.readers[group].close()
        self.readers[group] = self._reader(group)
        self.places[group] = {}

    @rule(group=st.sampled_from(GROUPS), data=st.data())
    def seek(self, group: str, data: st.DataObject) -> None:
        assigned = self.readers[group].assigned()
        assert set(assigned) == set(self.model.records)
        if not assigned:
            return
        place = data.draw(st.sampled_from(sorted(assigned)))
        end = len(self.model.records[place])
        offset = data.draw(st.integers(0, end + 1))
        if self.model.first[place] <= offset <= end:
            self.readers[group].seek(place, offset)
            self.places[group][place] = offset
        else:
            with pytest.raises(LogRefused):
                self.readers[group].seek(place, offset)

    @rule(group=st.sampled_from(GROUPS), limit=st.integers(1, 9))
    def poll(self, group: str, limit: int) -> None:
        places = self.places[group]
        if any(offset < self.model.first[place] for place, offset in places.items()):
            with pytest.raises(LogRefused):
                self.readers[group].poll(limit, timedelta(0))
            return
        waiting = {place: len(self.model.records[place]) - offset for place, offset in places.items()}
        batches = self.readers[group].poll(limit, timedelta(0))
        assert sum(map(len, batches)) == min(limit, sum(waiting.values()))
        assert (
            len({batch.partition for batch in batches})
            == len(batches)
            == min(limit, sum(1 for count in waiting.values() if count))
        )
        for batch in batches:
            start = places[batch.partition]
            assert (batch.start, batch.stop) == (start, start + len(batch))
            assert list(batch.offsets) == list(range(start, batch.stop))
            got = list(
                zip(
                    batch.timestamps,
                    batch.keys,
                    batch.values,
                    batch.lanes,
                    batch.orders,
                    batch.headers,
                    strict=True,
                )
            )
            assert got == self.model.records[batch.partition][start : batch.stop]
            places[batch.partition] = batch.stop

    @rule(group=st.sampled_from(GROUPS))
    def report(self, group: str) -> None:
        self.readers[group].report(self.places[group])
        self.model.reports[group].update(self.places[group])

    @invariant()
    def the_file_holds_what_the_model_holds(self) -> None:
        extents = self.audit.extents()
        assert {(place, extent.first, extent.end) for place, extent in extents.items()} == {
            (place, self.model.first[place], len(held)) for place, held in self.model.records.items()
        }
        assert len({extent.generation for extent in extents.values()}) <= 1
        assert self.audit.position("crm") == self.writer.position("crm") == self.model.position
        for place, extent in extents.items():
            self._compare_records(place, extent)

    def _compare_records(self, place: Partition, extent: Extent) -> None:
        batch = self.audit.records(place, 0, 10_000)
        assert list(batch.offsets) == list(range(extent.first, extent.end))
        assert list(zip(batch.keys, batch.values, batch.orders, strict=True)) == [
            (key, value, order) for _, key, value, _, order, _ in self.model.records[place][extent.first :]
        ]

    def teardown(self) -> None:
        with suppress(AttributeError):
            self.writer.close()
            self.audit.close()
            for reader in self.readers.values():
                reader.close()
            shutil.rmtree(self.folder)


EmbeddedLogMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestEmbeddedLog = EmbeddedLogMachine.TestCase
