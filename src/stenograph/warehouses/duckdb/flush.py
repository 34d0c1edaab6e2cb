"""A batch's and a claim's parts as Arrow tables, in the columns that the statements name.

Touches no database.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from stenograph.history import HistoryBatch
from stenograph.offsets import Assignment, Partition


def _schema(types: dict[str, pa.DataType]) -> pa.Schema:
    return pa.schema(types)


_INSTANT = pa.timestamp("us", tz="UTC")

_CLAIMED = _schema(
    {
        "topic": pa.string(),
        "log_partition": pa.int32(),
        "owner": pa.string(),
        "log_generation": pa.string(),
        "partition_count": pa.int32(),
    }
)
_MOVED = _schema(
    {
        "history_table": pa.string(),
        "topic": pa.string(),
        "log_partition": pa.int32(),
        "log_generation": pa.string(),
        "start": pa.int64(),
        "stop": pa.int64(),
        "read": pa.int64(),
        "stored": pa.int64(),
        "duplicate": pa.int64(),
        "filtered": pa.int64(),
        "quarantined": pa.int64(),
        "digest": pa.string(),
        "fence": pa.int64(),
    }
)
_MARKS = _schema(
    {
        "topic": pa.string(),
        "log_partition": pa.int32(),
        "lane": pa.string(),
        "high_water": pa.string(),
        "committed_at": _INSTANT,
    }
)
_SET_ASIDE = _schema(
    {
        "history_table": pa.string(),
        "topic": pa.string(),
        "log_partition": pa.int32(),
        "log_generation": pa.string(),
        "log_offset": pa.int64(),
        "log_timestamp": pa.int64(),
        "key": pa.binary(),
        "value": pa.binary(),
        "headers": pa.binary(),
        "lane": pa.string(),
        "source_order": pa.string(),
        "error": pa.string(),
        "reason": pa.string(),
    }
)
_MISSING = _schema(
    {
        "source": pa.string(),
        "table_name": pa.string(),
        "after": pa.string(),
        "before": pa.string(),
        "cause": pa.string(),
        "repaired_by": pa.int64(),
        "topic": pa.string(),
        "log_partition": pa.int32(),
        "log_offset": pa.int64(),
    }
)


def claimed(owner: str, partitions: Mapping[Partition, Assignment]) -> pa.Table:
    """The partitions that a writer claims."""
    return _table(
        _CLAIMED,
        [
            (partition.topic, partition.number, owner, assignment.generation, assignment.partition_count)
            for partition, assignment in partitions.items()
        ],
    )


def moved(batch: HistoryBatch) -> pa.Table:
    """The batch's spans with the fence that each needs; KeyError where the batch has no fence for one."""
    return _table(
        _MOVED,
        [
            (
                batch.table,
                span.partition.topic,
                span.partition.number,
                span.generation,
                span.start,
                span.stop,
                span.read,
                span.stored,
                span.duplicate,
                span.filtered,
                span.quarantined,
                span.digest,
                batch.fences[span.partition],
            )
            for span in batch.spans
        ],
    )


def marks(batch: HistoryBatch) -> pa.Table:
    """The lanes that the batch moved."""
    return _table(
        _MARKS,
        [
            (partition.topic, partition.number, lane, mark.order.hex(), mark.committed_at)
            for (partition, lane), mark in batch.lanes.items()
        ],
    )


def set_aside(batch: HistoryBatch) -> pa.Table:
    """The records that the batch quarantines."""
    return _table(
        _SET_ASIDE,
        [
            (
                batch.table,
                record.partition.topic,
                record.partition.number,
                record.generation,
                record.offset,
                record.timestamp,
                record.key,
                record.value,
                record.headers,
                record.lane,
                None if record.order is None else record.order.hex(),
                record.error,
                record.reason,
            )
            for record in batch.quarantined
        ],
    )


def missing(batch: HistoryBatch) -> pa.Table:
    """The gaps that the batch reports."""
    return _table(
        _MISSING,
        [
            (
                gap.source,
                gap.table,
                gap.after,
                gap.before,
                gap.cause,
                gap.repaired_by,
                gap.partition.topic,
                gap.partition.number,
                gap.offset,
            )
            for gap in batch.gaps
        ],
    )


def _table(schema: pa.Schema, rows: list[tuple[object, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [pa.array(list(values), field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
