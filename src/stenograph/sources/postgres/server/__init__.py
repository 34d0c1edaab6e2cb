"""The Postgres server behind an `embedded:PATH` DSN, shared by all processes that use the folder.

Knows nothing of capture: to everybody else it is a DSN.
"""

from stenograph.sources.postgres.server.binaries import Binaries, locate
from stenograph.sources.postgres.server.server import EmbeddedServer, embedded, is_running, stop

__all__ = ["Binaries", "EmbeddedServer", "embedded", "is_running", "locate", "stop"]
