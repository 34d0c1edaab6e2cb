"""Rows on their way into the warehouse: history's own columns, the batch, and digests of rows.

Reads no log and opens no warehouse.
"""

from stenograph.history.batch import Gap, HistoryBatch, Quarantined
from stenograph.history.columns import OWN_COLUMNS, RECORDED_AT, arrow_schema, arrow_type
from stenograph.history.digest import plain_rows, row_digest
from stenograph.history.limits import FlushLimits
from stenograph.history.spans import span_digest

__all__ = [
    "OWN_COLUMNS",
    "RECORDED_AT",
    "FlushLimits",
    "Gap",
    "HistoryBatch",
    "Quarantined",
    "arrow_schema",
    "arrow_type",
    "plain_rows",
    "row_digest",
    "span_digest",
]
