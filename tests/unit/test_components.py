"""A missing component is either printed or a failure, never silence."""

from __future__ import annotations

import pytest

from tests.components import require_component, required_components, skipped_component


def test_a_component_that_is_there_lets_the_test_go_on() -> None:
    require_component("postgres", None)


def test_a_missing_component_skips_with_its_name_and_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STENO_REQUIRE", "postgres17")
    with pytest.raises(pytest.skip.Exception) as skip:
        require_component("postgres", "no server was found: none installed")
    assert skipped_component(str(skip.value)) == ("postgres", "no server was found: none installed")


def test_a_missing_component_fails_where_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STENO_REQUIRE", "postgres17, postgres")
    with pytest.raises(pytest.fail.Exception, match="no server was found"):
        require_component("postgres", "no server was found")


def test_a_misspelt_requirement_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STENO_REQUIRE", "postgers")
    with pytest.raises(pytest.UsageError, match="postgers"):
        required_components()


def test_a_component_must_be_listed_before_a_test_can_ask_for_it() -> None:
    with pytest.raises(LookupError, match="unheard_of"):
        require_component("unheard_of", None)


def test_an_ordinary_skip_is_not_taken_for_a_component() -> None:
    assert skipped_component("Skipped: not on this platform") is None
