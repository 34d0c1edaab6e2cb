"""What the documents show can be typed: pipelines load, and questions to history have the answers shown.

The history asked is that of docs/analysts/views.md, its life of lead 42 read from the page itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
import yaml

from stenograph.assembly.kinds import KINDS
from stenograph.errors import StenographError
from stenograph.offsets import Assignment
from stenograph.pipeline import Pipeline, load, load_model
from stenograph.schemas import Model, SchemaChange
from stenograph.warehouses.duckdb.console import DuckDBConsole
from stenograph.warehouses.duckdb.settings import DuckDBSettings
from stenograph.warehouses.duckdb.warehouse import DuckDBWarehouse
from tests.acceptance.docs.test_commands_documented import shell_lines
from tests.documents import ROOT, Block, blocks, documents, inline_code, prose, rows
from tests.history_batches import GENERATION, batch, history_rows, partition, stretch

VIEWS = ROOT / "docs" / "analysts" / "views.md"
OPERATORS = ROOT / "docs" / "operators"
LIFE: list[tuple[str, dict[str, object]]] = [
    ("create", {"id": 42, "email": "ada@example.org", "status": "new", "owner_id": 7}),
    ("update", {"id": 42, "email": "ada@example.org", "status": "qualified", "owner_id": 7}),
    ("delete", {"id": 42}),
    ("create", {"id": 42, "email": "ada@example.org", "status": "new", "owner_id": 9}),
]


def pipelines() -> list[Block]:
    """Every YAML block that is a pipeline file."""
    return [
        block
        for file in documents()
        for block in blocks(file)
        if block.language in {"yaml", "yml"} and re.search(r"^source:", block.text, re.MULTILINE)
    ]


def questions() -> list[Block]:
    """Every SQL block that is asked of history: those for analysts, and of the others what names its tables."""
    return [
        block
        for file in documents()
        for block in blocks(file)
        if block.language == "sql" and (file.parent != OPERATORS or "_steno_" in block.text)
    ]


def loaded(text: str, folder: Path) -> Pipeline:
    file = folder / "pipelines" / "crm.yaml"
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")
    return load(file, KINDS)


def answer_below(block: Block) -> list[list[str]] | None:
    """The table that stands right below a block, heads included; None if there is none."""
    below = block.file.read_text(encoding="utf-8").splitlines()[block.line + block.text.count("\n") :]
    lines = iter(below)
    table = list(_until_blank(lines)) if next(lines, "x") == "" else []
    return rows("\n".join(table)) or None


def _until_blank(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if not line:
            return
        yield line


def shown(value: object) -> str:
    """A value as the page writes it."""
    if value is None:
        return "null"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S+00")
    return str(value)


@pytest.fixture(scope="module")
def lead() -> Model:
    return load_model(ROOT / "schemas", "lead")


@pytest.fixture(scope="module")
def console(lead: Model, tmp_path_factory: pytest.TempPathFactory) -> DuckDBConsole:
    path = tmp_path_factory.mktemp("history") / "history.duckdb"
    warehouse = DuckDBWarehouse(path, DuckDBSettings(kind="duckdb"))
    warehouse.evolve(SchemaChange("lead_history", lead.shape, lead.shape.columns, ("status", "owner_id")))
    (mark,) = warehouse.claim("docs", {partition(): Assignment(GENERATION, 4)}).values()
    instants = [datetime.fromisoformat(f"{row[0]}+00:00") for row in rows(prose(VIEWS)) if row[0][:2] == "20"]
    values = [
        {**row, "_steno_op": op, "_steno_committed_at": at, "_steno_changed_at": at}
        for (op, row), at in zip(LIFE, instants[: len(LIFE)], strict=True)
    ]
    stored = history_rows(values, range(len(LIFE)), lead.shape)
    warehouse.append(batch(stretch(mark, len(LIFE)), shape=lead.shape, rows=stored))
    warehouse.close()
    return DuckDBConsole(path)


@pytest.mark.parametrize("block", pipelines(), ids=str)
def test_a_pipeline_that_is_shown_loads(block: Block, tmp_path: Path) -> None:
    assert loaded(block.text, tmp_path).tables


def test_the_pipeline_of_the_demonstration_loads_with_its_comments_lifted(tmp_path: Path) -> None:
    text = (ROOT / "pipelines" / "demo.yaml").read_text(encoding="utf-8")
    sections = re.sub(r"^# (?=(?:log|warehouse):|  kind:)", "", text, flags=re.MULTILINE)
    assert set(yaml.safe_load(sections)) == {"source", "tables", "log", "warehouse"}
    assert loaded(sections, tmp_path).tables


@pytest.mark.parametrize("block", questions(), ids=str)
def test_a_question_that_is_shown_has_the_answer_that_is_shown(block: Block, console: DuckDBConsole) -> None:
    answers = [console.query(each.query) for each in duckdb.extract_statements(block.text)]
    assert answers
    expected = answer_below(block)
    if expected is not None:
        last = answers[-1]
        found = [[shown(value) for value in row.values()] for row in last.rows.to_pylist()]
        assert [list(last.columns), *found] == expected


def test_every_statement_given_to_steno_sql_is_answered(console: DuckDBConsole) -> None:
    refused = []
    for block, words in shell_lines():
        statement = words[2] if words[1:2] == ["sql"] and len(words) > 2 else ""
        if not statement or statement.startswith("-"):
            continue
        try:
            console.query(statement)
        except StenographError as fault:
            refused.append(f"{block}: {fault}")
    assert refused == []


def test_every_column_of_a_view_is_one_that_the_page_explains(console: DuckDBConsole, lead: Model) -> None:
    said = set(inline_code(prose(VIEWS)))
    for view in ("lead_current", "lead_versions", "lead_as_of('2026-03-07 00:00:00+00')"):
        columns = console.query(f"SELECT * FROM {view}").columns
        assert [name for name in columns if lead.shape.column(name) is None and name not in said] == []


@pytest.mark.parametrize("file", documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_every_fence_is_closed(file: Path) -> None:
    fences = re.findall(r"^[ \t]*```", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(list(blocks(file)))


def test_every_block_names_its_language_or_is_for_the_shell() -> None:
    known = {"", "yaml", "sql", "json", "sh", "text", "python", "ini", "mermaid"}
    assert {block.language for file in documents() for block in blocks(file)} <= known
