"""The batches that record in the log what history cannot know: a loss, a table gone stale, and that it was read again.

The same loss gives the same lane and order, so that reporting it again at the next start stores nothing.
"""

from __future__ import annotations

import time

from stenograph.envelope.gap import KEY_SCHEMA, VALUE_SCHEMA, ReadGap, encode_gap, gap_topic
from stenograph.events import TableId
from stenograph.offsets import order_of
from stenograph.ports import EncodedBatch, SchemaRegistry
from stenograph.sources.postgres.lsn import lsn_text
from stenograph.sources.postgres.position import Loss, ResumePoint, Stale, TableMark


class GapBatches:
    """Makes the batches of one source: one record in its gap topic, with the resume point as the position.

    What concerns one table has a lane of its own, or a rewrite of one would hide the other's.
    """

    def __init__(self, source: str, database: str, registry: SchemaRegistry) -> None:
        self._source = source
        self._database = database
        self._registry = registry

    def lost(self, loss: Loss, resume: ResumePoint) -> EncodedBatch:
        """Changes of all tables that the server no longer has."""
        gap = ReadGap(
            source=self._source,
            table=None,
            after=_text(loss.after),
            before=_text(loss.until),
            cause=loss.cause,
            committed_at=loss.committed_at,
            repaired_by=loss.repaired_by,
        )
        order = order_of(resume.run, loss.after, loss.until, 0)
        return self._batch(gap, f"{self._source}/gap", order, resume)

    def stale(self, table: TableId, stale: Stale, resume: ResumePoint) -> EncodedBatch:
        """A table whose rows were rewritten without an event."""
        gap = ReadGap(
            source=self._source,
            table=str(table),
            after=_text(stale.agreed),
            before=_text(stale.noticed),
            cause=f"rows changed without an event: {stale.cause}",
            committed_at=stale.seen_at,
        )
        return self._batch(gap, self._lane(table), order_of(resume.run, stale.noticed, 0, 0), resume)

    def mended(self, table: TableId, mark: TableMark, resume: ResumePoint) -> EncodedBatch:
        """A stale table that has been read again; `mark` is the one that still says that it is stale."""
        assert mark.stale is not None
        gap = ReadGap(
            source=self._source,
            table=str(table),
            after=_text(mark.stale.agreed),
            before=_text(mark.at),
            cause="the table was read again",
            committed_at=mark.stale.seen_at,
            repaired_by=resume.run,
        )
        return self._batch(gap, self._lane(table), order_of(resume.run, mark.at, 1, 0), resume)

    def _lane(self, table: TableId) -> str:
        return f"{self._source}/gap/{table}"

    def _batch(self, gap: ReadGap, lane: str, order: bytes, resume: ResumePoint) -> EncodedBatch:
        topic = gap_topic(self._source)
        key_id = self._registry.register(f"{topic}-key", KEY_SCHEMA)
        value_id = self._registry.register(f"{topic}-value", VALUE_SCHEMA)
        observed_at = time.time_ns()
        key, value = encode_gap(gap, self._database, key_id, value_id, observed_at)
        return EncodedBatch(
            source=self._source,
            lane=lane,
            topics=[topic],
            keys=[key],
            values=[value],
            timestamps=[observed_at // 1_000_000],
            orders=[order],
            headers=[()],
            upto=resume.position(),
        )


def _text(lsn: int) -> str:
    return lsn_text(lsn) if lsn else ""
