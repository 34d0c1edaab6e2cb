"""How many records each partition may give to one poll.

Knows no record: counts only.
"""

from __future__ import annotations

from collections.abc import Mapping

from stenograph.offsets import Partition


def fair_shares(waiting: Mapping[Partition, int], limit: int) -> dict[Partition, int]:
    """Share `limit` over partitions with that many records waiting; those with few leave the rest to the others.

    Partitions come back in the order given. Where the limit is smaller than their number, the first ones get 1.
    """
    if limit < len(waiting):
        return dict.fromkeys(list(waiting)[:limit], 1)
    shares: dict[Partition, int] = {}
    left = limit
    for turn, partition in enumerate(sorted(waiting, key=waiting.__getitem__)):
        shares[partition] = min(waiting[partition], left // (len(waiting) - turn))
        left -= shares[partition]
    return {partition: shares[partition] for partition in waiting}
