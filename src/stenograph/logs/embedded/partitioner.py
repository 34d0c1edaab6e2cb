"""Which partition a key goes to: the same one that Kafka's Java clients choose.

Knows no topic: everything rests on this map never changing, so it has no setting (Invariant 4).
"""

from __future__ import annotations

from functools import lru_cache
from struct import unpack_from

KEYLESS_PARTITION = 0
"""Records without a key keep their order by sharing one partition."""

_MASK = 0xFFFFFFFF
_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bit, with Kafka's seed; signed, as `org.apache.kafka.common.utils.Utils.murmur2` gives it."""
    length = len(data)
    words, tail = divmod(length, 4)
    state = _SEED ^ length
    for word in unpack_from(f"<{words}I", data):
        mixed = (word * _MULTIPLIER) & _MASK
        mixed = ((mixed ^ (mixed >> 24)) * _MULTIPLIER) & _MASK
        state = ((state * _MULTIPLIER) & _MASK) ^ mixed
    if tail:
        rest = int.from_bytes(data[-tail:], "little")
        state = ((state ^ rest) * _MULTIPLIER) & _MASK
    state = ((state ^ (state >> 13)) * _MULTIPLIER) & _MASK
    state ^= state >> 15
    return state - (1 << 32) if state >> 31 else state


@lru_cache(maxsize=1 << 16)
def partition_of(key: bytes | None, partitions: int) -> int:
    """The partition of a key's bytes among `partitions`; partition 0 for a record without a key."""
    if key is None:
        return KEYLESS_PARTITION
    return (murmur2(key) & 0x7FFFFFFF) % partitions
