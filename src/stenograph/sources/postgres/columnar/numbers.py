"""Whole numbers of many rows at once: out of decimal digits, and into Avro's varints and big-endian bytes.

Knows words of eight bytes and nothing of columns. Every array has one element for each row.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from stenograph.packing import Bools, Ints

Words = npt.NDArray[np.uint64]
Matrix = npt.NDArray[np.uint8]

MAX_DIGITS: Final = 18
"""So many digits always fit into 64 bits with a sign."""
_LOW_BITS: Final = 56
"""Eight groups of seven bits: what one word holds of a varint."""


def _words(*values: int) -> Words:
    return np.array(values, np.uint64)


_ZEROS: Final = np.uint64(0x3030303030303030)
_OVER_NINE: Final = np.uint64(0x7676767676767676)
_HIGH: Final = np.uint64(0x8080808080808080)
_TOP: Final = _words(*(((1 << 8 * count) - 1) << 8 * (8 - count) for count in range(9)))
"""By a number of digits: the bytes of a word that hold them, when its last byte is the last digit."""
_MORE: Final = _words(*(0x8080808080808080 >> 8 * (9 - size) if size else 0 for size in range(9)))
"""By a varint's size: the bits that say that another byte follows."""
_VARINT_STEPS: Final = tuple(1 << shift for shift in range(7, 64, 7))
_BYTE_STEPS: Final = tuple(1 << shift for shift in range(7, 63, 8))


def from_digits(words: Words, stop: Ints, count: Ints) -> tuple[Words, Bools]:
    """The numbers that `count` digits before `stop` write, at most 24; and where they are no digits.

    `words` are the eight bytes from each place of the text on, the first in the lowest bits. Trap: a number of more
    than 19 digits wraps around.
    """
    most = int(count.max(initial=0))
    number, odd = _eight(words[stop - 8], np.minimum(count, 8) if most > 8 else count)
    for place in range(8, min(most, 24), 8):
        left = np.clip(count - place, 0, 8)
        higher, also_odd = _eight(words[stop - (place + 8)], left)
        number += higher * np.uint64(10**place)
        odd |= also_odd
    return number, odd


def _eight(word: Words, count: Ints) -> tuple[Words, Bools]:
    digits = (word ^ _ZEROS) & _TOP.take(count, mode="clip")
    odd = ((digits + _OVER_NINE) | digits) & _HIGH != 0
    pairs = (digits * np.uint64(10) + (digits >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    fours = (pairs * np.uint64(100) + (pairs >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    return (fours * np.uint64(10_000) + (fours >> np.uint64(32))) & np.uint64(0xFFFFFFFF), odd


def zigzag(numbers: Ints) -> Words:
    """Avro's unsigned form of signed numbers."""
    return ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)


def varint_sizes(numbers: Words) -> Ints:
    """How many bytes each varint takes."""
    return _steps(numbers, _VARINT_STEPS)


def byte_sizes(numbers: Ints) -> Ints:
    """How many bytes each number takes in two's complement."""
    return _steps((numbers ^ (numbers >> 63)).view(np.uint64), _BYTE_STEPS)


def _steps(numbers: Words, steps: tuple[int, ...]) -> Ints:
    sizes = np.ones(len(numbers), np.int64)
    most = int(numbers.max(initial=0))
    for step in steps:
        if most < step:
            break
        sizes += numbers >= np.uint64(step)
    return sizes


def varints(numbers: Words, sizes: Ints) -> Matrix:
    """The varints, one a row, from the left; what stands after a varint's size has no meaning."""
    low = numbers & np.uint64((1 << _LOW_BITS) - 1)
    if int(sizes.max(initial=1)) <= 8:
        return _bytes_of(_spread(low) | _MORE.take(sizes))
    matrix = np.empty((len(numbers), 10), np.uint8)
    matrix[:, :8] = _bytes_of(_spread(low) | _MORE.take(np.minimum(sizes, 8)) | _last_of_eight(sizes))
    high = _spread(numbers >> np.uint64(_LOW_BITS)) | _MORE.take(np.maximum(sizes - 8, 0))
    matrix[:, 8:] = _bytes_of(high)[:, :2]
    return matrix


def _last_of_eight(sizes: Ints) -> Words:
    return (sizes > 8).astype(np.uint64) << np.uint64(63)


def _spread(numbers: Words) -> Words:
    """Groups of seven bits, one in each byte."""
    halves = (numbers & np.uint64(0xFFFFFFF)) | (numbers & np.uint64(0xFFFFFFF0000000)) << np.uint64(4)
    quarters = (halves & np.uint64(0x3FFF00003FFF)) | (halves & np.uint64(0xFFFC0000FFFC000)) << np.uint64(2)
    return (quarters & np.uint64(0x7F007F007F007F)) | (quarters & np.uint64(0x3F803F803F803F80)) << np.uint64(
        1
    )


def big_endian(numbers: Ints) -> Matrix:
    """The numbers' eight bytes, one number a row, the highest byte first."""
    return numbers.byteswap().view(np.uint8).reshape(-1, 8)


def _bytes_of(words: Words) -> Matrix:
    return words.view(np.uint8).reshape(-1, 8)
