"""A record's headers as one blob: each a length-prefixed name and a length-prefixed value.

Interprets no header; a record without headers costs no byte.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from stenograph.ports import Headers

_LENGTHS = Struct(">II")


@lru_cache(maxsize=4096)
def pack_headers(headers: Headers) -> bytes:
    """The blob of these headers, in their order; names are stored as UTF-8."""
    pieces: list[bytes] = []
    for name, value in headers:
        encoded = name.encode()
        pieces += (_LENGTHS.pack(len(encoded), len(value)), encoded, value)
    return b"".join(pieces)


@lru_cache(maxsize=4096)
def unpack_headers(blob: bytes) -> Headers:
    """The inverse of `pack_headers`; ValueError for a blob that it did not write."""
    headers: list[tuple[str, bytes]] = []
    at = 0
    while at < len(blob):
        if at + _LENGTHS.size > len(blob):
            raise ValueError("The headers' blob ends inside a length.")
        name_length, value_length = _LENGTHS.unpack_from(blob, at)
        name_at = at + _LENGTHS.size
        value_at = name_at + name_length
        at = value_at + value_length
        if at > len(blob):
            raise ValueError("The headers' blob ends inside a header.")
        headers.append((blob[name_at:value_at].decode(), blob[value_at:at]))
    return tuple(headers)
