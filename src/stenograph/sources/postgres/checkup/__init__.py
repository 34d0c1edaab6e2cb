"""Looks at a Postgres server as capture would meet it: what stops it, and what may hurt later.

Writes nothing and makes nothing, not even for a moment: the server itself is told to refuse it.
"""

from stenograph.sources.postgres.checkup.examination import examined

__all__ = ["examined"]
