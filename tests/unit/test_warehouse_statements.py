"""The statements in `.sql` files, by name."""

from __future__ import annotations

import re

import pytest

from stenograph.resources import bundled
from stenograph.warehouses.duckdb.statements import statement

FILES = sorted(file.stem for file in (bundled("warehouse_ddl") / "duckdb").glob("*.sql"))


@pytest.mark.parametrize("file", FILES)
def test_a_statement_does_not_end_with_the_sentence_on_top_of_the_next(file: str) -> None:
    text = (bundled("warehouse_ddl") / "duckdb" / f"{file}.sql").read_text(encoding="utf-8")
    names = re.findall(r"^-- name: (\S+)", text, re.MULTILINE)
    assert names
    for name in names:
        lines = statement(file, name).splitlines()
        assert lines, name
        assert not lines[-1].startswith("--"), name
        assert not any(line.startswith("-- name:") for line in lines), name


def test_a_plan_shows_a_statement_without_another_ones_comment() -> None:
    assert statement("tables", "add_column", table='"t"', column='"c" INTEGER') == (
        'ALTER TABLE "t" ADD COLUMN IF NOT EXISTS "c" INTEGER;'
    )
