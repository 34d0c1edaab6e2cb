"""The golden records: what real Debezium wrote, as a log reader and as a registry.

Reads files only; `tests/golden/debezium-postgres/connector.json` says how they were made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from stenograph.offsets import Assignment, Partition
from stenograph.ports import LoggedBatch
from stenograph.schemas import SchemaId

_FOLDER = Path(__file__).with_name("golden") / "debezium-postgres"
GENERATION = "golden"


@cache
def schemas() -> Mapping[SchemaId, str]:
    """Schema id to JSON text, as the registry gave them."""
    return {int(n): json.dumps(s) for n, s in json.loads((_FOLDER / "schemas.json").read_text()).items()}


@cache
def records() -> Sequence[Mapping[str, Any]]:
    """Every record, in file order."""
    return [json.loads(line) for line in (_FOLDER / "records.jsonl").read_text().splitlines()]


def table_records(table: str) -> Sequence[Mapping[str, Any]]:
    """One table's records, in offset order."""
    return [record for record in records() if record["topic"] == f"golden.public.{table}"]


def logged(
    found: Sequence[Mapping[str, Any]], *, first_offset: int = 0, values: Sequence[bytes | None] | None = None
) -> LoggedBatch:
    """Records of one topic as the log would give them, moved by `first_offset`."""
    offsets = [record["offset"] + first_offset for record in found]
    return LoggedBatch(
        partition=Partition(found[0]["topic"], 0),
        generation=GENERATION,
        start=first_offset,
        stop=offsets[-1] + 1,
        offsets=offsets,
        timestamps=[record["timestamp"] for record in found],
        keys=[_bytes(record["key"]) for record in found],
        values=[_bytes(record["value"]) for record in found] if values is None else values,
        lanes=[None] * len(found),
        orders=[None] * len(found),
        headers=[tuple((name, text.encode()) for name, text in record["headers"]) for record in found],
    )


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


class GoldenRegistry:
    """A `SchemaRegistry` that holds what the golden records name; it takes no more."""

    def register(self, subject: str, schema: str) -> SchemaId:
        """See `SchemaRegistry.register`; only for schemas that are there."""
        return next(number for number, text in schemas().items() if text == schema)

    def fetch(self, schema_id: SchemaId) -> str | None:
        """See `SchemaRegistry.fetch`."""
        return schemas().get(schema_id)

    def latest(self, subject: str) -> tuple[SchemaId, str] | None:
        """See `SchemaRegistry.latest`; these records name their schemas themselves."""
        return None


class FiledReader:
    """A `ChangeLogReader` over batches in memory, each of one partition and after the one before."""

    def __init__(self, batches: Sequence[LoggedBatch]) -> None:
        self._batches = batches
        self._places: dict[Partition, int] = {}

    def assigned(self) -> Mapping[Partition, Assignment]:
        """See `ChangeLogReader.assigned`."""
        return {batch.partition: Assignment(batch.generation, 1) for batch in self._batches}

    def seek(self, partition: Partition, offset: int) -> None:
        """See `ChangeLogReader.seek`."""
        self._places[partition] = offset

    def poll(self, limit: int, wait: timedelta) -> Sequence[LoggedBatch]:
        """See `ChangeLogReader.poll`; a whole batch of each partition, whatever the limit."""
        found: dict[Partition, LoggedBatch] = {}
        for batch in self._batches:
            place = self._places.get(batch.partition)
            if batch.partition not in found and place is not None and batch.start >= place:
                found[batch.partition] = batch
        for batch in found.values():
            self._places[batch.partition] = batch.stop
        return list(found.values())

    def report(self, offsets: Mapping[Partition, int]) -> None:
        """See `ChangeLogReader.report`; nothing is ever removed here."""

    def close(self) -> None:
        """See `ChangeLogReader.close`."""
