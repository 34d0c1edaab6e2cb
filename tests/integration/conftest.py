"""Fixtures of the integration tests: real servers and databases."""

from tests.fix_postgres import admin_dsn, database, postgres_server, postgres_servers

__all__ = ["admin_dsn", "database", "postgres_server", "postgres_servers"]
