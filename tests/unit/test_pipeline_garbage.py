"""Whatever stands in a pipeline file, the answer is a pipeline or a list of faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stenograph.pipeline import ConfigurationFaults, Pipeline, describe, load, load_model, plans
from tests.pipeline_kinds import KINDS, VALID

T = TypeVar("T")

SECTIONS = ["source", "tables", "log", "warehouse", "kind", "boat", "embedded", "duckdb"]
SETTINGS = ["name", "dsn", "env:CRM_URL", "path", "model", "map", "track", "keep_before"]
NAMES = ["public.lead", "public.deal", "lead", "status", "<<", "~"]
WORDS = st.sampled_from([*SECTIONS, *SETTINGS, *NAMES])
SCALARS = (
    WORDS | st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.dates() | st.binary()
)
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(WORDS | st.text(), inner), max_leaves=20
)
MARKS = st.sampled_from(
    [*"{}[],:&*!|>'\"%@`#?-\n\t ~\x00\ud7ff", "!!int ", "!!set ", "&a ", "*a", "\n---\n", "\\u"]
)


@st.composite
def disturbed(draw: st.DrawFn) -> str:
    """A valid file with a few marks put in or pieces taken out."""
    text = VALID
    for _ in range(draw(st.integers(1, 4))):
        at, until = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        text = text[:at] + draw(MARKS) + text[min(until, at + 5) :]
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("garbage")


def answered(reading: Callable[[], T]) -> T | None:
    """What was read, or None for faults that print as one line each."""
    try:
        return reading()
    except ConfigurationFaults as caught:
        refusal = caught
    lines = str(refusal).splitlines()
    assert len(lines) == 1 + len(refusal.faults) > 1
    assert all(line.isprintable() for line in lines)
    return None


def check(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    answer = answered(lambda: load(file, KINDS))
    if isinstance(answer, Pipeline):
        assert len(plans(answer)) == len(answer.tables) > 0
        json.dumps(describe(answer)).encode()


@example("a: &a [*a]")
@example("[" * 3000)
@example('source: {"\\ud800": "\\ud800"}')
@example("a: 2001-01-01 00:00:00 +99:99")
@example("a: " + "9" * 5000)
@example("%YAML 9.9\n---\na: 1")
@example("%YAML 1." + "9" * 5000 + "\n---\na: 1")
@example("!!int {}")
@example("!!set {a}")
@example('tables: {"a.\\0b": {}, "a.\\uD800": {}}')
@given(st.text() | disturbed())
@settings(max_examples=200)
def test_any_text_is_a_pipeline_or_faults(folder: Path, text: str) -> None:
    check(folder / "x.yaml", text.encode())


@given(DATA | st.fixed_dictionaries({"source": DATA, "tables": st.dictionaries(WORDS, DATA)}))
@settings(max_examples=100)
def test_any_data_is_a_pipeline_or_faults(folder: Path, data: object) -> None:
    check(folder / "x.yaml", yaml.safe_dump(data, allow_unicode=True).encode())


@given(st.binary())
@settings(max_examples=50)
def test_any_bytes_are_faults(folder: Path, content: bytes) -> None:
    check(folder / "x.yaml", content)


JSON_WORDS = st.sampled_from(
    ["type", "record", "name", "lead", "fields", "steno.key", "id", "items", "array", "long"]
)
JSON_DATA = st.recursive(
    JSON_WORDS | st.text() | st.integers() | st.floats() | st.none() | st.booleans(),
    lambda inner: st.lists(inner) | st.dictionaries(JSON_WORDS | st.text(), inner),
    max_leaves=15,
)
FIELD = st.fixed_dictionaries(
    {"name": JSON_WORDS | st.text(), "type": JSON_DATA}, optional={"default": JSON_DATA}
)


@given(
    JSON_DATA
    | st.fixed_dictionaries(
        {
            "type": st.just("record"),
            "name": st.just("lead"),
            "steno.key": st.lists(JSON_WORDS) | JSON_DATA,
            "fields": st.lists(FIELD | JSON_DATA),
        }
    )
)
@settings(max_examples=150)
def test_any_model_is_a_model_or_faults(folder: Path, data: object) -> None:
    (folder / "lead").mkdir(exist_ok=True)
    (folder / "lead" / "v1.avsc").write_text(json.dumps(data))
    model = answered(lambda: load_model(folder, "lead"))
    assert model is None or model.shape.columns
