"""The embedded log on a real file system: files of others, full disks, read-only places, retention, other processes."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from stenograph.errors import LogRefused, LogUnavailable
from stenograph.logs.embedded import reader as reader_module
from stenograph.logs.embedded.audit import EmbeddedLogAudit
from stenograph.logs.embedded.file import APPLICATION_ID, VERSION
from stenograph.logs.embedded.reader import EmbeddedLogReader
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from stenograph.offsets import Partition, order_of
from stenograph.ports import EncodedBatch
from tests.components import require_component
from tests.log_samples import batch, poll_until, position, records_of, seek_all

TOPIC = "crm.public.lead"
SETTINGS = EmbeddedLogSettings(kind="embedded")
LONG_AGO = 1_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a folder?" / "log #1.db"


@contextmanager
def _writing(path: Path, settings: EmbeddedLogSettings = SETTINGS) -> Iterator[EmbeddedLogWriter]:
    with closing(EmbeddedLogWriter(path, settings)) as writer:
        yield writer


@contextmanager
def _reading(path: Path, group: str = "sink") -> Iterator[EmbeddedLogReader]:
    with closing(EmbeddedLogReader(path, SETTINGS, group=group, topics=[TOPIC])) as reader:
        yield reader


def _held(path: Path) -> int:
    with closing(EmbeddedLogAudit(path)) as audit:
        return sum(extent.end - extent.first for extent in audit.extents().values())


def _extent(path: Path, number: int = 0) -> tuple[int, int]:
    with closing(EmbeddedLogAudit(path)) as audit:
        extent = audit.extents()[Partition(TOPIC, number)]
        return extent.first, extent.end


def _foreign_database(path: Path, application_id: int, version: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE accounts (id INTEGER)")
        connection.execute(f"PRAGMA application_id = {application_id}")
        connection.execute(f"PRAGMA user_version = {version}")


def test_a_log_that_is_not_there_yet_reads_as_empty(path: Path) -> None:
    with _reading(path) as reader, closing(EmbeddedLogAudit(path)) as audit:
        assert reader.assigned() == {}
        assert reader.poll(10, timedelta(milliseconds=10)) == ()
        reader.report({})
        assert (dict(audit.extents()), audit.position("crm")) == ({}, None)
        assert not path.exists()
        with _writing(path) as writer:
            writer.append(batch(TOPIC, 0, 3, upto=position(3)))
        seek_all(reader)
        assert len(records_of(poll_until(reader, 3))) == 3
        assert audit.position("crm") == position(3)


def test_making_a_log_leaves_no_other_file(path: Path) -> None:
    with _writing(path):
        pass
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("application_id", "version", "sentence"),
    [(0, 0, "another product"), (7, 1, "another product"), (APPLICATION_ID, VERSION + 1, "another version")],
)
def test_a_file_of_others_is_refused_and_left_as_it_was(
    path: Path, application_id: int, version: int, sentence: str
) -> None:
    _foreign_database(path, application_id, version)
    before = path.read_bytes()
    with pytest.raises(LogRefused, match=sentence):
        EmbeddedLogWriter(path, SETTINGS)
    with pytest.raises(LogRefused, match=sentence):
        EmbeddedLogReader(path, SETTINGS, group="sink", topics=[TOPIC])
    with pytest.raises(LogRefused, match=sentence):
        EmbeddedLogAudit(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to look like one" * 50])
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(LogRefused, match="not a change log"):
        EmbeddedLogWriter(path, SETTINGS)
    assert path.read_bytes() == content


def test_a_folder_in_the_files_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(LogRefused, match="folder"):
        EmbeddedLogWriter(path, SETTINGS)


def test_a_file_in_the_folders_place_is_refused(path: Path) -> None:
    path.parent.write_text("a file")
    with pytest.raises(LogRefused):
        EmbeddedLogWriter(path, SETTINGS)


def test_a_log_that_was_removed_is_not_written_any_more(path: Path) -> None:
    with _writing(path) as writer, _reading(path) as reader:
        writer.append(batch(TOPIC, 0, 3))
        seek_all(reader)
        path.unlink()
        with pytest.raises(LogRefused, match="removed or replaced"):
            writer.append(batch(TOPIC, 3, 3))
        with pytest.raises(LogRefused, match="removed or replaced"):
            reader.poll(10, timedelta(seconds=5))


def test_a_held_lock_is_unavailable_and_the_writer_goes_on_after_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stenograph.logs.embedded.file.BUSY_SECONDS", 0.05)
    with _writing(path) as writer:
        writer.append(batch(TOPIC, 0, 3, upto=position(3)))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LogUnavailable, match="locked"):
                writer.append(batch(TOPIC, 3, 3, upto=position(6)))
        assert writer.position("crm") == position(3)
        writer.append(batch(TOPIC, 3, 3, upto=position(6)))
    assert _held(path) == 6


def test_a_batch_of_unequal_parts_stores_nothing(path: Path) -> None:
    with _writing(path) as writer:
        odd = EncodedBatch("crm", "lane", [TOPIC], [b"k"], [b"v"], [1], [], [()], position(1))
        with pytest.raises(ValueError, match="shorter"):
            writer.append(odd)
        assert writer.position("crm") is None
        writer.append(batch(TOPIC, 0, 1))
    assert _held(path) == 1


def test_nothing_is_removed_while_no_group_is_known(path: Path) -> None:
    for first in (0, 10):
        with _writing(path) as writer:
            writer.append(batch(TOPIC, first, 10, keys=[None] * 10, timestamp=LONG_AGO))
    assert _extent(path) == (0, 20)


def test_old_records_are_removed_below_the_least_report(path: Path) -> None:
    place = Partition(TOPIC, 0)
    with _writing(path) as writer, _reading(path, "one") as one, _reading(path, "other") as other:
        for first in (0, 4, 7):
            writer.append(batch(TOPIC, first, 3, keys=[None] * 3, timestamp=LONG_AGO))
        one.report({place: 9})
        other.report({place: 8})
    with _writing(path) as writer:
        writer.append(batch(TOPIC, 10, 1, keys=[None]))
    assert _extent(path) == (6, 10)


def test_a_group_that_has_not_reported_a_partition_holds_it(path: Path) -> None:
    with _writing(path) as writer, _reading(path, "one") as one, _reading(path, "other") as other:
        writer.append(batch(TOPIC, 0, 10, keys=[None] * 10, timestamp=LONG_AGO))
        one.report({Partition(TOPIC, 0): 8})
        other.report({Partition(TOPIC, 1): 0})
    with _writing(path) as writer:
        writer.append(batch(TOPIC, 10, 1, keys=[None]))
    assert _extent(path) == (0, 11)


def test_young_records_are_kept_however_often_reported(path: Path) -> None:
    with _writing(path) as writer, _reading(path) as reader:
        writer.append(batch(TOPIC, 0, 5, keys=[None] * 5, timestamp=LONG_AGO))
        writer.append(batch(TOPIC, 5, 5, keys=[None] * 5))
        writer.append(batch(TOPIC, 10, 5, keys=[None] * 5, timestamp=LONG_AGO))
        reader.report({Partition(TOPIC, 0): 15})
    with _writing(path) as writer:
        writer.append(batch(TOPIC, 15, 1, keys=[None]))
    assert _extent(path) == (5, 16)


def test_offsets_go_on_after_everything_was_removed(path: Path) -> None:
    place = Partition(TOPIC, 0)
    with _writing(path) as writer, _reading(path) as reader:
        writer.append(batch(TOPIC, 0, 10, keys=[None] * 10, timestamp=LONG_AGO))
        reader.report({place: 10})
    with _writing(path) as writer, _reading(path) as reader:
        writer.append(EncodedBatch("crm", "lane", upto=position(1)))
        assert _extent(path) == (10, 10)
        with pytest.raises(LogRefused, match="no longer holds") as refusal:
            reader.seek(place, 9)
        assert "gap" in refusal.value.hint
        reader.seek(place, 10)
        writer.append(batch(TOPIC, 10, 1, keys=[None]))
        (got,) = poll_until(reader, 1)
        assert (got.start, list(got.offsets), got.stop) == (10, [10], 11)
        with closing(EmbeddedLogAudit(path)) as audit:
            assert (audit.records(place, 0, 10).start, audit.records(place, 0, 10).stop) == (10, 11)


def test_a_poll_ends_with_the_record_that_reaches_its_bytes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "POLL_BYTES", 100_000)
    large = EncodedBatch(
        "crm",
        "lane",
        [TOPIC] * 20,
        [f"key {number}".encode() for number in range(20)],
        [bytes(60_000)] * 20,
        [LONG_AGO] * 20,
        [order_of(1, number, 0, 0) for number in range(20)],
        [()] * 20,
    )
    with _writing(path) as writer, _reading(path) as reader:
        writer.append(large)
        seek_all(reader)
        got = 0
        while got < 20:
            polled = sum(map(len, reader.poll(1000, timedelta(seconds=5))))
            assert 0 < polled <= 4
            got += polled


def test_an_idle_reader_costs_little(path: Path) -> None:
    with _writing(path) as writer, _reading(path) as reader:
        writer.append(batch(TOPIC, 0, 1))
        seek_all(reader)
        poll_until(reader, 1)
        before = resource.getrusage(resource.RUSAGE_SELF)
        reader.poll(10, timedelta(seconds=1))
        after = resource.getrusage(resource.RUSAGE_SELF)
        # Switches count wake-ups, which do not depend on the machine's speed.
        assert after.ru_nvcsw - before.ru_nvcsw < 100


@contextmanager
def _small_disk(folder: Path, *options: str) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    reason = None
    if os.geteuid() != 0:
        reason = "only root may mount one"
    else:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join(("size=64m", *options)), "tmpfs", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode != 0:
            reason = f"mount said: {mounted.stderr.strip()}"
    require_component("tmpfs", reason)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _append_until_refused(writer: EmbeddedLogWriter, first: int) -> int:
    for stored in range(first, 1_000_000, 1000):
        try:
            writer.append(batch(TOPIC, stored, 1000, upto=position(stored + 1000)))
        except LogUnavailable:
            return stored
    pytest.fail("the disk never became full")


def test_a_full_disk_loses_nothing_and_the_same_writer_goes_on(tmp_path: Path) -> None:
    with _small_disk(tmp_path / "disk") as disk:
        path, ballast = disk / "log.db", disk / "ballast"
        with _writing(path) as writer:
            writer.append(batch(TOPIC, 0, 100, upto=position(100)))
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
            ballast.write_bytes(bytes(max(0, free - 2_000_000)))
            stored = _append_until_refused(writer, 100)
            assert writer.position("crm") == position(stored)
            assert _held(path) == stored
            with pytest.raises(LogUnavailable, match="no room"):
                writer.append(batch(TOPIC, stored, 20_000, upto=position(stored + 20_000)))
            ballast.unlink()
            writer.append(batch(TOPIC, stored, 1000, upto=position(stored + 1000)))
            assert writer.position("crm") == position(stored + 1000)
        assert _held(path) == stored + 1000


def test_a_disk_that_is_full_from_the_start_leaves_no_half_made_log(tmp_path: Path) -> None:
    with _small_disk(tmp_path / "disk") as disk:
        ballast = disk / "ballast"
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        ballast.write_bytes(bytes(free - 8192))
        with pytest.raises(LogUnavailable):
            EmbeddedLogWriter(disk / "log.db", SETTINGS)
        assert [file.name for file in disk.iterdir()] == ["ballast"]
        ballast.unlink()
        with _writing(disk / "log.db") as writer:
            writer.append(batch(TOPIC, 0, 1))


def test_a_read_only_place_is_refused(tmp_path: Path) -> None:
    with _small_disk(tmp_path / "disk") as disk:
        with _writing(disk / "log.db") as writer:
            writer.append(batch(TOPIC, 0, 1))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for path in (disk / "log.db", disk / "new.db"):
            with pytest.raises(LogRefused, match="read-only") as refusal:
                EmbeddedLogWriter(path, SETTINGS)
            assert "log.path" in refusal.value.hint


_COUNT_IN_ANOTHER_PROCESS = """
import sys
from datetime import timedelta
from pathlib import Path
from stenograph.logs.embedded.reader import EmbeddedLogReader
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from tests.log_samples import poll_until, records_of, seek_all

path, group, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
reader = EmbeddedLogReader(path, EmbeddedLogSettings(kind="embedded"), group=group, topics=["crm.public.lead"])
while not reader.assigned():
    reader.poll(1, timedelta(milliseconds=10))
seek_all(reader)
got = poll_until(reader, count, limit=97)
reader.report({one.partition: one.stop for one in got})
reader.close()
print(len(set(records_of(got))))
"""


def test_readers_in_two_processes_follow_a_writer_in_a_third(path: Path) -> None:
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", _COUNT_IN_ANOTHER_PROCESS, str(path), group, "3000"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for group in ("one", "other")
    ]
    try:
        with _writing(path) as writer:
            for first in range(0, 3000, 100):
                writer.append(batch(TOPIC, first, 100, timestamp=LONG_AGO))
            assert [reader.communicate(timeout=60)[0].strip() for reader in readers] == ["3000", "3000"]
        with _writing(path) as writer:
            writer.append(batch(TOPIC, 3000, 1, timestamp=int(time.time() * 1000)))
        assert _held(path) == 1
    finally:
        for reader in readers:
            reader.kill()
            reader.communicate()
