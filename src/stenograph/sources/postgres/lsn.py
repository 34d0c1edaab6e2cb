"""LSNs: byte positions in the write-ahead log, as numbers here and as `16/B374D848` in Postgres's text.

https://www.postgresql.org/docs/current/datatype-pg-lsn.html
"""

from __future__ import annotations


def lsn_of(text: str) -> int:
    """The number of an LSN such as `16/B374D848`; ValueError for anything else."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


def lsn_text(lsn: int) -> str:
    """The text that Postgres reads and prints."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
