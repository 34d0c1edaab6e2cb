"""An embedded log whose writer is killed at any moment holds every batch whole or not at all."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from stenograph.logs.embedded.audit import EmbeddedLogAudit
from stenograph.logs.embedded.reader import EmbeddedLogReader
from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from stenograph.offsets import parts_of
from tests.crash.append_until_killed import BATCH_ROWS, TOPICS
from tests.log_samples import poll_until, seek_all

SETTINGS = EmbeddedLogSettings(kind="embedded")


def _killed_writer(path: Path, acknowledged: int, delay: timedelta) -> int:
    """Run a writer, kill it `delay` after that many acknowledgements, and return the last batch it called durable."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.append_until_killed", str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    last = 0
    killer = threading.Timer(delay.total_seconds(), child.kill)
    assert child.stdout is not None
    try:
        for seen, line in enumerate(child.stdout, start=1):
            # A line without its end was cut by the kill: its batch was not acknowledged.
            last = int(line) if line.endswith("\n") else last
            if seen == acknowledged:
                killer.start()
    finally:
        killer.cancel()
        child.kill()
        child.stdout.close()
        child.wait(timeout=30)
    assert child.returncode == -signal.SIGKILL
    return last


def _batches_held(path: Path) -> Counter[int]:
    held: Counter[int] = Counter()
    with closing(EmbeddedLogAudit(path)) as audit:
        for partition, extent in audit.extents().items():
            batch = audit.records(partition, extent.first, extent.end)
            assert list(batch.offsets) == list(range(extent.end))
            held.update(parts_of(order)[1] // BATCH_ROWS for order in batch.orders if order)
    return held


def test_every_batch_is_whole_or_absent_after_kills_in_mid_append(tmp_path: Path) -> None:
    """Invariant 1: what was acknowledged is there, and the stored position says exactly what is."""
    path = tmp_path / "log.db"
    dice = random.Random()
    for _ in range(6):
        delay = timedelta(milliseconds=dice.uniform(0, 40))
        acknowledged = _killed_writer(path, dice.randint(1, 5), delay)
        held = _batches_held(path)
        assert set(held.values()) == {BATCH_ROWS}
        assert sorted(held) == list(range(len(held)))
        assert len(held) in {acknowledged, acknowledged + 1}
        with closing(EmbeddedLogWriter(path, SETTINGS)) as writer:
            stored = writer.position("crm")
        assert stored is not None
        assert int(stored.resume) == len(held)


def test_a_reader_that_follows_killed_writers_sees_every_record_once(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    seen: Counter[bytes | None] = Counter()
    _killed_writer(path, 1, timedelta(milliseconds=5))
    with closing(EmbeddedLogReader(path, SETTINGS, group="sink", topics=TOPICS)) as reader:
        seek_all(reader)
        for _ in range(3):
            _killed_writer(path, 2, timedelta(milliseconds=random.uniform(0, 20)))
            total = sum(_batches_held(path).values())
            for batch in poll_until(reader, total - sum(seen.values())):
                seen.update(batch.orders)
            assert len(seen) == sum(seen.values()) == total


def test_a_writer_killed_while_it_makes_the_log_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    for attempt in range(6):
        path = tmp_path / str(attempt) / "log.db"
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.append_until_killed", str(path)],
            stdout=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
        while child.poll() is None and not path.parent.exists():
            pass
        child.kill()
        assert child.wait(timeout=30) == -signal.SIGKILL
        with closing(EmbeddedLogAudit(path)) as audit:
            assert {extent.end - extent.first >= 0 for extent in audit.extents().values()} <= {True}
        with closing(EmbeddedLogWriter(path, SETTINGS)) as writer:
            writer.position("crm")
