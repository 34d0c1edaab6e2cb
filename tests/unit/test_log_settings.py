"""What a pipeline file may say of the embedded log's size."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from stenograph.logs.embedded.settings import EmbeddedLogSettings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("16MB", 16_000_000),
        ("20GB", 20_000_000_000),
        ("512 MiB", 512 << 20),
        ("1.5TiB", 3 << 39),
        ("16000000B", 16_000_000),
    ],
)
def test_a_size_is_a_number_with_a_unit(text: str, expected: int) -> None:
    assert EmbeddedLogSettings(kind="embedded", max_size=text).max_bytes == expected


@pytest.mark.parametrize("text", ["", "20", "GB", "-20GB", "20gb", "20 G", "16iB", "1e3GB", "9" * 400 + "GB"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValidationError, match="20GB"):
        EmbeddedLogSettings(kind="embedded", max_size=text)


@pytest.mark.parametrize("text", ["0GB", "15.9MB", "1 KiB"])
def test_a_size_that_could_hold_no_batch_is_refused_with_the_least(text: str) -> None:
    with pytest.raises(ValidationError, match="at least 16MB"):
        EmbeddedLogSettings(kind="embedded", max_size=text)
