"""Quick checks of texts accept nothing that the reference refuses, and most of what it takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from stenograph.envelope.columnar.texts import is_json, is_uuid
from stenograph.envelope.columnar.window import Window
from stenograph.envelope.columnar.zoned import instants
from stenograph.envelope.values import converter
from stenograph.errors import ValueOutOfRange

JSON = converter({"type": "string", "connect.name": "io.debezium.data.Json"})


def window_of(texts: list[str]) -> Window:
    data = [text.encode() for text in texts]
    ends = np.cumsum([len(each) for each in data])
    return Window(np.frombuffer(b"".join(data), np.uint8), ends - [len(each) for each in data], ends)


def test_every_day_of_eight_centuries_is_read_in_every_layout() -> None:
    days = [datetime(1600, 1, 1, 23, 59, 58, 123456, tzinfo=UTC) + timedelta(days=n) for n in range(292_194)][
        ::7
    ]
    for digits in range(7):
        texts = [
            at.strftime("%Y-%m-%dT%H:%M:%S") + f".{at.microsecond:06d}"[: digits + 1 if digits else 0] + "Z"
            for at in days
        ]
        window = window_of(texts)

        micros, known = instants(window, window.starts, window.ends - window.starts)

        cut = 10 ** (6 - digits)
        expected = [
            (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) // cut * cut for at in days
        ]
        assert known.all()
        assert micros.tolist() == expected


@pytest.mark.parametrize(
    "text",
    [
        "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2024-04-31T00:00:00Z", "2024-00-10T00:00:00Z",
        "2024-13-10T00:00:00Z", "2024-01-00T00:00:00Z", "2024-01-32T00:00:00Z", "0000-01-01T00:00:00Z",
        "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.1234567Z", "2024-01-01T00:00:00.12a4Z", "2024-01-01T00:00:00+00", "2024-01-01 00:00:00Z",
        "2024-01-01T00:00:0/Z", "2024-01-01T00:00:0:Z", "2024/01-01T00:00:00Z", "+024-01-01T00:00:00Z", "", "Z",
    ],
)  # fmt: skip
def test_what_is_no_instant_of_the_usual_layout_is_not_known(text: str) -> None:
    window = window_of(["2024-01-01T00:00:00Z", text, "2024-02-29T12:30:00.5Z"])

    _, known = instants(window, window.starts, window.ends - window.starts)

    assert known.tolist() == [True, False, True]


@pytest.mark.parametrize(
    "texts",
    [
        ["[1", "2]"],
        ["[1", "2]", "3,4"],
        ["1],[2"],
        ['"a', 'b"'],
        ['{"a":1', "}"],
        ["1,2", "[3", "4]"],
        [""],
        ["", ","],
        ['"\\', '"'],
    ],
)
def test_texts_that_are_json_only_together_are_none(texts: list[str]) -> None:
    assert is_json(pa.array(["{}", *texts, "[]"])).tolist() == [True, *(False for _ in texts), True]


def test_half_a_surrogate_a_deep_text_and_a_long_number_are_not_sure() -> None:
    texts = [
        '"\\ud800"',
        "[" * 300 + "]" * 300,
        "9" * 5000,
        "-" + "9" * 4500,
        '"\\ud83d\\ude00"',
        " {} ",
        None,
    ]

    assert is_json(pa.array(texts)).tolist() == [False, False, False, False, True, True, True]


def test_a_long_text_with_many_brackets_is_asked_about_and_taken() -> None:
    text = "[" + ",".join(["[1]"] * 300) + "]"

    assert JSON(text) == text
    assert is_json(pa.array([text])).tolist() == [False]


def test_a_uuid_is_one_in_its_usual_form_alone() -> None:
    usual = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    texts = [usual, usual.upper(), usual.replace("-", ""), "{" + usual + "}", usual[:-1] + "g", None, "", "-" * 36,
             usual.replace("a0", "\uff10"), "0" * 36]  # fmt: skip

    assert is_uuid(pa.array(texts)).tolist() == [True, *[False] * 4, True, *[False] * 4]
    assert is_uuid(pa.array(texts).slice(5, 2)).tolist() == [True, False]


def test_the_reference_refuses_what_the_quick_json_check_is_not_sure_of() -> None:
    with pytest.raises(ValueOutOfRange):
        JSON('"\\ud800"')
    with pytest.raises(ValueOutOfRange):
        JSON("9" * 5000)
