"""Texts, bytes, UUIDs and JSON as history columns hold them.

Refuses what `envelope.values` refuses: quick checks accept, and what they do not accept the reference is asked about.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from stenograph.envelope.columnar.arrays import (
    Array,
    Made,
    as_binary,
    bytes_of,
    of_bytes,
    of_text,
    offsets_of,
    valid_of,
)
from stenograph.envelope.columnar.nodes import Raw
from stenograph.envelope.columnar.window import Window
from stenograph.envelope.values import Convert
from stenograph.errors import ValueOutOfRange
from stenograph.packing import Bools

_DEEP: Final = 200
"""The reference refuses JSON nested about a thousand deep, depending on who calls it."""
_WORD: Final = secrets.token_hex(8)
_BETWEEN: Final = pa.scalar(f',"{_WORD}",'.encode(), pa.binary())
"""What stands between texts that are read in one go; nobody outside this process knows the word."""
_LONG_NUMBER: Final = re.compile(rb"[0-9]{4000}")
"""Python reads no whole number of more than 4,300 digits."""


def text(window: Window, raw: Raw, sound: Bools | None) -> Made:
    """Any text."""
    array, broken = of_text(window, raw, valid_of(raw, sound))
    return Made(array, None, broken)


def octets(window: Window, raw: Raw, sound: Bools | None) -> Made:
    """Any bytes."""
    return Made(of_bytes(window, raw, valid_of(raw, sound)))


Accepts = Callable[[Array], Bools]
"""Where a text is one that the reference takes, or null; False where that is not sure."""


class Checked:
    """Texts that the reference leaves as they are where `accepts` says so; it is asked about all others."""

    def __init__(self, accepts: Accepts, convert: Convert) -> None:
        self._accepts = accepts
        self._convert = convert

    def __call__(self, window: Window, raw: Raw, sound: Bools | None) -> Made:
        """See `Finish`."""
        array, broken = of_text(window, raw, valid_of(raw, sound))
        unsure = np.flatnonzero(~self._accepts(array))
        refused, changed = np.zeros(len(array), np.bool_), np.zeros(len(array), np.bool_)
        converted: list[object] = []
        for place in unsure.tolist():
            value = array[place].as_py()
            if value is None:
                continue
            try:
                made = self._convert(value)
            except ValueOutOfRange:
                refused[place], made = True, None
            if made != value:
                changed[place] = True
                converted.append(made)
        if converted:
            array = cast(
                Array, pc.replace_with_mask(array, pa.array(changed), pa.array(converted, pa.string()))
            )
        return Made(array, refused if refused.any() else None, broken)


def is_uuid(array: Array) -> Bools:
    """Where there is a UUID in its usual form, in lower case."""
    places = offsets_of(array)
    accepted = cast(Bools, np.asarray(array.is_null()))
    candidates = np.flatnonzero(np.diff(places) == len(_UUID))
    if len(candidates):
        shown = bytes_of(array)[(places[candidates] - places[0])[:, None] + np.arange(len(_UUID))]
        accepted[candidates] = (_UUID_CLASS[shown] == _UUID).all(axis=1)
    return accepted


_UUID: Final = np.array([2 if c == "-" else 1 for c in "00000000-0000-0000-0000-000000000000"], np.uint8)
_UUID_CLASS: Final = np.zeros(256, np.uint8)
_UUID_CLASS[list(b"0123456789abcdef")] = 1
_UUID_CLASS[ord("-")] = 2


def is_json(array: Array) -> Bools:
    """Where there is JSON that both readers take: the quick one is asked, which is the stricter one but for depth."""
    accepted = cast(Bools, np.asarray(array.is_null()))
    there = np.flatnonzero(~accepted)
    if not len(there):
        return accepted
    texts = as_binary(array if len(there) == len(array) else array.take(pa.array(there, pa.int64())))
    accepted[there] = _are_json(texts) & ~_is_odd(texts)
    return accepted


def _are_json(texts: Array) -> Bools:
    """Read in one go with a word of ours between them: where all the words are found again, each text is one value."""
    lists = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    joined = cast(Array, pc.binary_join(lists, _BETWEEN))[0].as_py()
    try:
        found = orjson.loads(b"[%b]" % joined)
        if len(found) == 2 * len(texts) - 1 and found[1::2].count(_WORD) == len(texts) - 1:
            return np.ones(len(texts), np.bool_)
    except orjson.JSONDecodeError:
        pass
    return np.array([_is_json(value) for value in texts.to_pylist()], np.bool_)


def _is_json(value: Any) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def _is_odd(texts: Array) -> Bools:
    """Where the reference may refuse what the quick reader takes: nested deeply, or with a number of many digits."""
    odd = np.zeros(len(texts), np.bool_)
    for place in np.flatnonzero(np.diff(offsets_of(texts)) > _DEEP).tolist():
        value = texts[place].as_py()
        odd[place] = value.count(b"[") + value.count(b"{") > _DEEP or _LONG_NUMBER.search(value) is not None
    return odd
