"""What every schema registry promises, as the ports word it.

An adapter joins with one line in `REGISTRIES`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from stenograph.errors import SchemaIncompatible
from stenograph.ports import SchemaRegistry
from stenograph.registry.compatibility import Compatibility
from stenograph.registry.folder import FolderRegistry

Rules = Mapping[str, Compatibility]
REGISTRIES: dict[str, Callable[[Path, Rules], SchemaRegistry]] = {"folder": FolderRegistry}


@pytest.fixture(params=REGISTRIES)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Rules], SchemaRegistry]:
    """Opens the registry under test, each time the same one."""
    return lambda rules: REGISTRIES[request.param](tmp_path / "registry", rules)


@pytest.fixture
def registry(opened: Callable[[Rules], SchemaRegistry]) -> SchemaRegistry:
    return opened({})


def _schema(*fields: Mapping[str, object], name: str = "Value") -> str:
    return json.dumps(
        {"type": "record", "name": name, "namespace": "crm.public.lead", "fields": list(fields)}
    )


ID = {"name": "id", "type": "long"}
NAME = {"name": "name", "type": ["null", "string"], "default": None}
NAME_REQUIRED = {"name": "name", "type": "string"}


def test_a_schema_keeps_its_id(registry: SchemaRegistry) -> None:
    first = registry.register("lead-value", _schema(ID))
    registry.register("lead-value", _schema(ID, NAME))
    assert registry.register("lead-value", _schema(ID)) == first


def test_white_space_makes_no_other_schema(registry: SchemaRegistry) -> None:
    text = _schema(ID)
    spaced = json.dumps(json.loads(text), indent=2)
    assert registry.register("lead-value", text) == registry.register("lead-value", spaced)


def test_the_same_schema_has_one_id_in_all_subjects(registry: SchemaRegistry) -> None:
    assert registry.register("lead-value", _schema(ID)) == registry.register("contact-value", _schema(ID))


def test_annotations_and_defaults_make_another_schema(registry: SchemaRegistry) -> None:
    plain = registry.register("lead-value", _schema(ID))
    named = {"name": "id", "type": {"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}}
    given = {"name": "id", "type": "long", "default": 0}
    ids = {
        plain,
        registry.register("lead-value", _schema(named)),
        registry.register("lead-value", _schema(given)),
    }
    assert len(ids) == 3


def test_a_schema_is_fetched_as_it_was_registered(registry: SchemaRegistry) -> None:
    text = _schema(ID, NAME, name="Größe")
    fetched = registry.fetch(registry.register("lead-value", text))
    assert fetched is not None
    assert json.dumps(json.loads(fetched)) == json.dumps(json.loads(text))


def test_an_unknown_id_has_no_schema(registry: SchemaRegistry) -> None:
    known = registry.register("lead-value", _schema(ID))
    assert [registry.fetch(number) for number in (known + 1_000_000, 0, -1, 2**32)] == [None] * 4


def test_latest_is_the_newest_version(registry: SchemaRegistry) -> None:
    assert registry.latest("lead-value") is None
    registry.register("lead-value", _schema(ID))
    newest = registry.register("lead-value", _schema(ID, NAME))
    registry.register("contact-value", _schema(ID, NAME_REQUIRED))
    latest = registry.latest("lead-value")
    assert latest is not None
    assert (latest[0], json.loads(latest[1])) == (newest, json.loads(_schema(ID, NAME)))


def test_registering_an_old_version_again_makes_no_new_one(registry: SchemaRegistry) -> None:
    registry.register("lead-value", _schema(ID))
    newest = registry.register("lead-value", _schema(ID, NAME))
    registry.register("lead-value", _schema(ID))
    latest = registry.latest("lead-value")
    assert latest is not None
    assert latest[0] == newest


def test_a_registry_opened_again_gives_the_same_answers(opened: Callable[[Rules], SchemaRegistry]) -> None:
    one = opened({})
    first, second = one.register("lead-value", _schema(ID)), one.register("lead-value", _schema(ID, NAME))
    other = opened({})
    assert other.register("lead-value", _schema(ID)) == first
    assert other.register("lead-value", _schema(ID, NAME)) == second
    assert other.fetch(first) == one.fetch(first)
    assert other.latest("lead-value") == one.latest("lead-value")


def test_two_clients_agree_on_ids(opened: Callable[[Rules], SchemaRegistry]) -> None:
    one, other = opened({}), opened({})
    texts = [_schema(ID, {"name": f"field_{number}", "type": "long"}) for number in range(6)]
    ids = [(one if number % 2 else other).register("lead-value", text) for number, text in enumerate(texts)]
    assert len(set(ids)) == 6
    assert [one.register("lead-value", text) for text in texts] == ids
    assert [other.register("lead-value", text) for text in texts] == ids


def test_a_subject_without_a_rule_takes_any_schema(registry: SchemaRegistry) -> None:
    registry.register("lead-value", _schema(ID))
    registry.register("lead-value", _schema(ID, NAME_REQUIRED))


def test_a_backward_subject_takes_what_reads_the_newest_version(
    opened: Callable[[Rules], SchemaRegistry],
) -> None:
    registry = opened({"lead-value": Compatibility.BACKWARD})
    registry.register("lead-value", _schema(ID))
    newest = registry.register("lead-value", _schema(ID, NAME))
    latest = registry.latest("lead-value")
    assert latest is not None
    assert latest[0] == newest


def test_a_backward_subject_refuses_what_cannot_and_stays_as_it_was(
    opened: Callable[[Rules], SchemaRegistry],
) -> None:
    registry = opened({"lead-value": Compatibility.BACKWARD})
    first = registry.register("lead-value", _schema(ID))
    with pytest.raises(SchemaIncompatible) as refusal:
        registry.register("lead-value", _schema(ID, NAME_REQUIRED))
    assert "name" in refusal.value.hint
    latest = registry.latest("lead-value")
    assert latest is not None
    assert latest[0] == first
    registry.register("contact-value", _schema(ID, NAME_REQUIRED))
