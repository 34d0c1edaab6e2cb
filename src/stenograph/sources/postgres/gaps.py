"""The batch that records a loss in the log.

The same loss gives the same lane and order, so that reporting it again at the next start stores nothing.
"""

from __future__ import annotations

import time

from stenograph.envelope.gap import KEY_SCHEMA, VALUE_SCHEMA, ReadGap, encode_gap, gap_topic
from stenograph.offsets import order_of
from stenograph.ports import EncodedBatch, SchemaRegistry
from stenograph.sources.postgres.lsn import lsn_text
from stenograph.sources.postgres.position import Loss, ResumePoint


def gap_batch(
    loss: Loss, resume: ResumePoint, source: str, database: str, registry: SchemaRegistry
) -> EncodedBatch:
    """One record in the source's gap topic, with `resume` as the position."""
    topic = gap_topic(source)
    gap = ReadGap(
        source=source,
        table=None,
        after=lsn_text(loss.after) if loss.after else "",
        before=lsn_text(loss.until) if loss.until else "",
        cause=loss.cause,
        committed_at=loss.committed_at,
        repaired_by=loss.repaired_by,
    )
    key_id = registry.register(f"{topic}-key", KEY_SCHEMA)
    value_id = registry.register(f"{topic}-value", VALUE_SCHEMA)
    observed_at = time.time_ns()
    key, value = encode_gap(gap, database, key_id, value_id, observed_at)
    return EncodedBatch(
        source=source,
        lane=f"{source}/gap",
        topics=[topic],
        keys=[key],
        values=[value],
        timestamps=[observed_at // 1_000_000],
        orders=[order_of(resume.run, loss.after, loss.until, 0)],
        headers=[()],
        upto=resume.position(),
    )
