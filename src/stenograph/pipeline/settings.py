"""The settings of a section, and how pydantic's complaints read as faults.

Knows no kind of source, log or warehouse: their settings are theirs and derive from `Section`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from stenograph.errors import ConfigurationError
from stenograph.pipeline.document import Document, Place
from stenograph.pipeline.faults import Fault, suggestion
from stenograph.schemas import Evolution, OnRewrite, ValuePolicy


class Section(BaseModel):
    """A section of a pipeline file: at most eight settings, each with its default beside it.

    Unknown settings are refused. The text of a validator's ValueError becomes the fault's message: it must not
    hold the value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TableSettings(Section):
    """What becomes of one source table."""

    model: str | None = Field(
        None, description="The model in schemas/ that the table feeds; else its own shape."
    )
    map: dict[str, str] = Field({}, description="Source column to model field, where the names differ.")
    track: tuple[str, ...] = Field(
        (), description="Columns whose movement matters; recorded beside the history."
    )
    keep_before: bool = Field(
        default=False, description="Whether history also keeps each row's state before."
    )
    on_rewrite: OnRewrite = Field(
        OnRewrite.SNAPSHOT, description="What to do when DDL has changed rows without giving their changes."
    )
    evolution: Evolution = Field(
        Evolution.EVOLVE, description="What happens when the table's shape changes: evolve, freeze or ignore."
    )
    unheld: ValuePolicy | dict[str, ValuePolicy] = Field(
        ValuePolicy.TEXT,
        description="What becomes of a value that a history column cannot hold: text or quarantine, also by column.",
    )

    @field_validator("unheld", mode="before")
    @classmethod
    def _known_policies(cls, given: object) -> object:
        policies = list(given.values()) if isinstance(given, Mapping) else [given]
        if all(isinstance(policy, str) and policy in set(ValuePolicy) for policy in policies):
            return given
        raise ValueError(
            "must be text or quarantine, or columns with one of them, as in {amount: quarantine}"
        )


S = TypeVar("S", bound=BaseModel)


def validated(
    settings: type[S], values: Mapping[str, object], document: Document, place: Place, faults: list[Fault]
) -> S | None:
    """The values as settings, or None with every reason added to `faults`."""
    try:
        return settings.model_validate(dict(values))
    except ValidationError as refusal:
        faults.extend(
            document.fault((*place, *error["loc"]), _message(error, settings))
            for error in refusal.errors(include_url=False)
        )
    except ConfigurationError as refusal:
        faults.append(document.fault(place, str(refusal)))
    return None


_MUST_BE = {
    "string_type": "text; put it in quotes",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "list_type": "a list, as in [status, owner_id]",
    "tuple_type": "a list, as in [status, owner_id]",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping, as in {name: value}",
    "mapping_type": "a mapping, as in {name: value}",
    "model_type": "a mapping, as in {name: value}",
}


_SHORTER = {"greater than or equal to": "at least", "less than or equal to": "at most"}


def _message(error: ErrorDetails, settings: type[BaseModel]) -> str:
    kind = error["type"]
    if kind == "missing":
        return "missing; it has no default"
    if kind == "extra_forbidden":
        # Only the section's own level is known; a nested section's names are its own.
        known = settings.model_fields if len(error["loc"]) == 1 else {}
        return "unknown setting" + suggestion(str(error["loc"][-1]), known)
    if error["input"] is None and kind != "value_error":
        return "has no value; give one, or remove the line"
    if kind in _MUST_BE:
        return f"must be {_MUST_BE[kind]}"
    if kind in {"value_error", "assertion_error"}:
        return str(error.get("ctx", {}).get("error", "cannot be meant"))
    words = re.sub(r"^(Input|String|Value) should", "must", error["msg"])
    for long, short in _SHORTER.items():
        words = words.replace(long, short)
    return words
