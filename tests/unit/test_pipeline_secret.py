"""A secret is named by reference, read at need and never printed."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from stenograph.errors import ConfigurationError
from stenograph.pipeline import ConfigurationFaults, Secret, SecretOrPlain
from tests.pipeline_kinds import VALID, loaded

PASSWORD = "hunter2-correct-horse"
LITERALS = [
    f"postgresql://reader:{PASSWORD}@db/crm",
    f"postgresql://reader:{PASSWORD}/x@db/crm",
    f"postgresql://db/crm?user=reader&password={PASSWORD}",
    f"host=db user=reader password={PASSWORD}",
    f"host=db sslpassword = '{PASSWORD}'",
    f"reader:{PASSWORD}@db",
    f"https://api.test/?access_token={PASSWORD}",
    f"env:postgresql://reader:{PASSWORD}@db/crm",
    f"file:{PASSWORD}",
]


def test_a_variable_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Secret("env:STENO_TEST_SECRET")
    monkeypatch.setenv("STENO_TEST_SECRET", PASSWORD)
    assert secret.resolve() == PASSWORD


def test_a_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f" {PASSWORD} \r\n")
    assert Secret(f"file:{file}").resolve() == f" {PASSWORD} "


def test_a_secret_prints_as_its_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STENO_TEST_SECRET", PASSWORD)
    secret = Secret("env:STENO_TEST_SECRET")
    secret.resolve()
    assert str(secret) == "env:STENO_TEST_SECRET"
    assert PASSWORD not in repr(secret)


def test_a_missing_or_empty_variable_is_named_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STENO_TEST_SECRET", raising=False)
    with pytest.raises(ConfigurationError, match="STENO_TEST_SECRET is not set") as refusal:
        Secret("env:STENO_TEST_SECRET").resolve()
    assert "export STENO_TEST_SECRET" in refusal.value.hint
    monkeypatch.setenv("STENO_TEST_SECRET", " ")
    with pytest.raises(ConfigurationError, match="STENO_TEST_SECRET is empty"):
        Secret("env:STENO_TEST_SECRET").resolve()


def test_a_missing_empty_or_binary_file_is_named_and_not_shown(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n")
    binary.write_bytes(PASSWORD.encode() + b"\xff")
    for file, words in [(tmp_path / "none", "cannot be read"), (empty, "is empty"), (binary, "is not UTF-8")]:
        with pytest.raises(ConfigurationError, match=words) as refusal:
            Secret(f"file:{file}").resolve()
        assert str(file) in str(refusal.value)
        assert PASSWORD not in "".join(traceback.format_exception(refusal.value))


def test_a_password_in_a_setting_that_takes_any_text_is_refused_too(tmp_path: Path) -> None:
    text = VALID.replace("dsn: env:CRM_URL", f"dsn: a\n  note: postgresql://reader:{PASSWORD}@db/crm")
    with pytest.raises(ConfigurationFaults) as refusal:
        loaded(tmp_path, text)
    assert [(fault.line, fault.path) for fault in refusal.value.faults] == [(5, "source.note")]
    assert PASSWORD not in str(refusal.value)


@pytest.mark.parametrize("literal", LITERALS)
def test_a_literal_password_is_refused_and_not_repeated(tmp_path: Path, literal: str) -> None:
    for setting in (f"dsn: {literal!r}", f"dsn: a\n  token: {literal!r}"):
        with pytest.raises(ConfigurationFaults) as refusal:
            loaded(tmp_path, VALID.replace("dsn: env:CRM_URL", setting))
        assert len(refusal.value.faults) == 1
        assert PASSWORD not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize(
    "literal", ["postgresql://reader@db/crm", "plain", "env:", "env:A B", "file:relative", ""]
)
def test_a_strict_secret_takes_references_only(literal: str) -> None:
    with pytest.raises(ValueError, match=r"env:|file:"):
        Secret(literal)


@pytest.mark.parametrize(
    "literal",
    [
        "postgresql://reader@db/crm",
        "postgresql://db:5432/crm?sslmode=require",
        "postgresql://[::1]:5432/crm",
        "host=db user=reader passfile=/run/pgpass",
        "embedded:.steno/demo/postgres",
        "broker-1:9092,broker-2:9092",
    ],
)
def test_a_literal_without_a_password_may_stand_in_the_file(literal: str) -> None:
    assert SecretOrPlain(literal).resolve() == literal


@pytest.mark.parametrize(
    "text",
    [
        f"source: postgresql://reader:{PASSWORD}@db/crm",
        f"source: {{kind: 'postgresql://reader:{PASSWORD}@db/crm'}}",
        f"source: {{kind: boat, 'postgresql://reader:{PASSWORD}@db/crm': 1}}",
        f"'postgresql://reader:{PASSWORD}@db/crm': 1",
        f"tables: {{'postgresql://reader:{PASSWORD}@db/crm': {{}}}}",
        f"tables: {{a.b: {{model: 'password={PASSWORD}'}}}}",
        f"tables: {{a.b: {{model: lead, track: ['password={PASSWORD}'], map: {{a: 'password={PASSWORD}'}}}}}}",
        f"source:\n  dsn postgresql://reader:{PASSWORD}@db/crm\n  kind: boat",
        f'source: {{dsn: "postgresql://reader:{PASSWORD}@db\\q"}}',
        f"source: {{dsn: postgresql://reader:{PASSWORD}@db\n",
    ],
)
def test_a_password_in_the_wrong_place_is_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationFaults) as refusal:
        loaded(tmp_path, text)
    assert PASSWORD not in "".join(traceback.format_exception(refusal.value))
