"""What a pipeline file may say of a DuckDB history."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from stenograph.warehouses.duckdb.settings import DuckDBSettings


@pytest.mark.parametrize("text", ["256MB", "1.5 GiB", "4TB"])
def test_a_limit_of_memory_is_a_number_with_a_unit(text: str) -> None:
    assert DuckDBSettings(kind="duckdb", memory_limit=text).memory_limit == text


@pytest.mark.parametrize("text", ["", "256", "lots", "-1GB", "256 mb", "256MB\n", "80%"])
def test_what_is_no_amount_of_memory_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValidationError, match="256MB"):
        DuckDBSettings(kind="duckdb", memory_limit=text)
