"""Many framed records of one writer schema as Arrow columns, without a Python object for each.

Gives what the reference gives (`reading` and `values`), or says that it is not sure; then the reference is asked.
"""

from stenograph.envelope.columnar.events import OPS, ColumnarEvents, Envelopes
from stenograph.envelope.columnar.nodes import NotColumnar
from stenograph.envelope.columnar.rows import ColumnarKeys, Rows

__all__ = ["OPS", "ColumnarEvents", "ColumnarKeys", "Envelopes", "NotColumnar", "Rows"]
