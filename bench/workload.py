"""The changes that are measured: a CRM's leads of twelve columns, written by the server itself.

Knows no pipeline.
"""

from __future__ import annotations

import psycopg

CREATE = """
CREATE TABLE {table} (
    id bigint PRIMARY KEY, email text, first_name text, last_name text, company text, status varchar(20) NOT NULL,
    score int, owner_id int, created_at timestamptz NOT NULL, updated_at timestamptz, attributes jsonb,
    amount numeric(12,2)
)
"""
INSERT = """
INSERT INTO {table} SELECT i, 'user' || i || '@example.com', 'First' || i % 3000, 'Last' || i % 20000,
    'Company ' || i % 40000, (ARRAY['new','working','nurturing','qualified'])[1 + i % 4], i % 100, i % 200,
    '2024-01-01'::timestamptz + i * interval '1.000037 second', '2024-06-01'::timestamptz + i * interval '1 second',
    jsonb_build_object('source', 'web', 'n', i), (i % 1000000) / 100.0
FROM generate_series({first}, {last}) AS i
"""
UPDATE = "UPDATE {table} SET score = score + 1, updated_at = now() WHERE id >= {first} AND id <= {last}"
UPDATES_IN_ONE = 1_000


def create(dsn: str, *tables: str) -> None:
    """The tables, empty."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for table in tables:
            connection.execute(CREATE.format(table=table).encode())


def insert(dsn: str, table: str, first: int, last: int) -> None:
    """Rows of these ids, in one transaction."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(INSERT.format(table=table, first=first, last=last).encode())


def update(dsn: str, table: str, first: int, last: int) -> None:
    """Update rows of these ids, in transactions of 1,000."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for low in range(first, last + 1, UPDATES_IN_ONE):
            high = min(low + UPDATES_IN_ONE - 1, last)
            connection.execute(UPDATE.format(table=table, first=low, last=high).encode())
