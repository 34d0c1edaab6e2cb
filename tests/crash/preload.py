"""What every child needs, loaded once for all: the fork server imports this module and nothing else.

Opens nothing and starts no thread, so that a forked child is as good as a started one.
"""

from stenograph.logs.embedded import adapter as _log
from stenograph.sources.postgres import adapter as _source
from stenograph.warehouses.duckdb import adapter as _warehouse
from tests.crash import child as _child

__all__ = ["_child", "_log", "_source", "_warehouse"]
