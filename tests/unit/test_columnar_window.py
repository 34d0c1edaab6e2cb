"""Cursors read Avro's numbers as the specification has them, and nothing beyond their window."""

from __future__ import annotations

import io

import fastavro
import numpy as np
import pytest

from stenograph.envelope.columnar.window import Cursor, Window

EDGES = sorted({sign * (1 << bits) + near for bits in range(63) for sign in (1, -1) for near in (-1, 0, 1)})
NUMBERS = [number for number in (*EDGES, 2**63 - 1, -(2**63)) if -(2**63) <= number < 2**63]


def cursor_of(datums: list[bytes]) -> Cursor:
    ends = np.cumsum([len(datum) for datum in datums])
    starts = ends - [len(datum) for datum in datums]
    window = Window(np.frombuffer(b"".join(datums), np.uint8), starts, ends)
    return Cursor(window, starts, None, np.zeros(len(datums), np.bool_))


def long(number: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", number)
    return out.getvalue()


def test_numbers_of_every_length_are_read_together() -> None:
    cursor = cursor_of([long(number) for number in NUMBERS])

    assert cursor.long().tolist() == NUMBERS
    assert (cursor.at == cursor.ends).all()
    assert not cursor.wrong.any()


@pytest.mark.parametrize("number", [0, -64, 63, 64, 2**55, 2**62, 2**63 - 1, -(2**63)])
def test_a_number_is_read_alone_and_skipped_alone(number: int) -> None:
    read, skipped = cursor_of([long(number)]), cursor_of([long(number)])
    skipped.skip_long()

    assert read.long().tolist() == [number]
    assert read.at.tolist() == skipped.at.tolist() == [len(long(number))]


def test_numbers_of_more_than_64_bits_are_wrong() -> None:
    cursor = cursor_of([b"\xff" * 9 + b"\x02", b"\xff" * 10 + b"\x01", long(5), b"\xff" * 9 + b"\x01"])

    numbers = cursor.long()

    assert cursor.wrong.tolist() == [True, True, False, False]
    assert numbers[2:].tolist() == [5, -(2**63)]


def test_a_length_beyond_the_record_ends_beyond_it() -> None:
    datums = [long(3) + b"abc", long(4) + b"abc", long(2**62), long(-1), b"\xff"]
    cursor = cursor_of(datums)

    start, length = cursor.span()

    assert (cursor.at == cursor.ends).tolist() == [True, False, False, False, False]
    assert (start[0], length[0]) == (1, 3)


@pytest.mark.parametrize("place", range(12))
def test_a_word_is_the_eight_bytes_from_any_place(place: int) -> None:
    data = bytes(range(100, 112))
    window = cursor_of([data]).window

    word = window.word(np.array([place]))

    assert word.tobytes() == data[place : place + 8].ljust(8, b"\0")
