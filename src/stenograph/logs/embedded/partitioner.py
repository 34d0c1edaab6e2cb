"""Which partition a key goes to: Kafka's hash of the key's datum.

Knows no topic: everything rests on this map never changing, so it has no setting (Invariant 4). The schema's number
in front of a datum is left out, unlike in Kafka's Java clients: a key stays where it is when its schema changes.
"""

from __future__ import annotations

from struct import unpack_from

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stenograph.envelope.framing import PREFIX_BYTES
from stenograph.packing import Ints, bounds

KEYLESS_PARTITION = 0
"""Records without a key keep their order by sharing one partition."""

_MASK = 0xFFFFFFFF
_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C
_UNSIGNED = 0x7FFFFFFF
_FEW = 16
"""So few keys are hashed one by one: an array's fixed costs are those of about as many."""
_LONGEST = 256
"""Longer keys are hashed one by one: few words of many keys are faster at once, many words of few are not."""


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


def partition_of(key: bytes | None, partitions: int) -> int:
    """The partition of a key among `partitions`; partition 0 for a record without a key.

    Bytes that are not framed are hashed whole.
    """
    if key is None:
        return KEYLESS_PARTITION
    if len(key) >= PREFIX_BYTES and key[0] == 0:
        key = key[PREFIX_BYTES:]
    return (murmur2(key) & _UNSIGNED) % partitions


def partitions_of(keys: pa.LargeBinaryArray, partitions: int) -> npt.NDArray[np.int64]:
    """`partition_of` for every key of the array, all at once."""
    if len(keys) <= _FEW:
        return np.array([partition_of(key, partitions) for key in keys.to_pylist()], np.int64)
    found = np.full(len(keys), KEYLESS_PARTITION, np.int64)
    if partitions == 1 or keys.null_count == len(keys):
        return found
    data, places = keys.buffers()[2], bounds(keys)
    text = b"" if data is None else memoryview(data)[int(places[0]) : int(places[-1])]
    starts, lengths = places[:-1] - places[0], np.diff(places)
    present = keys.is_valid().to_numpy(zero_copy_only=False)
    framed = np.flatnonzero(lengths >= PREFIX_BYTES)
    framed = framed[np.frombuffer(text, np.uint8)[starts[framed]] == 0]
    starts[framed] += PREFIX_BYTES
    lengths[framed] -= PREFIX_BYTES
    for index in np.flatnonzero(present & (lengths > _LONGEST)).tolist():
        found[index] = partition_of(keys[index].as_py(), partitions)
    short = np.flatnonzero(present & (lengths <= _LONGEST))
    # The longest first: those that still have a word then stand at the front.
    short = short[np.argsort(_LONGEST - lengths[short].astype(np.uint16), kind="stable")]
    hashes = _murmur2_of(text, starts[short], lengths[short])
    found[short] = (hashes & _UNSIGNED) % partitions
    return found


def _murmur2_of(text: bytes | memoryview, starts: Ints, lengths: Ints) -> npt.NDArray[np.uint32]:
    """The unsigned hashes of strings in `text`, which come longest first."""
    padded = np.frombuffer(b"".join((text, bytes(4))), np.uint8)
    # A word may begin at every byte.
    words = np.ndarray(len(padded) - 3, "<u4", padded, strides=(1,))
    whole, rest = lengths // 4, lengths % 4
    states = lengths.astype(np.uint32) ^ np.uint32(_SEED)
    for turn in range(int(whole[0]) if len(whole) else 0):
        count = int(np.count_nonzero(whole > turn))
        mixed = words[starts[:count] + 4 * turn] * np.uint32(_MULTIPLIER)
        mixed = (mixed ^ (mixed >> np.uint32(24))) * np.uint32(_MULTIPLIER)
        states[:count] = (states[:count] * np.uint32(_MULTIPLIER)) ^ mixed
    tails = np.flatnonzero(rest)
    masks = (np.uint32(1) << (8 * rest[tails]).astype(np.uint32)) - np.uint32(1)
    tail_words = words[starts[tails] + 4 * whole[tails]] & masks
    states[tails] = (states[tails] ^ tail_words) * np.uint32(_MULTIPLIER)
    states = (states ^ (states >> np.uint32(13))) * np.uint32(_MULTIPLIER)
    return states ^ (states >> np.uint32(15))
