"""Secrets by reference: what a pipeline file says in place of a password.

Holds no value: each `resolve` reads the variable or file again, and only the reference is ever printed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from stenograph.errors import ConfigurationError

_ENV = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
_FILE = re.compile(r"file:/[^\0]+")
_IN_USER_INFO = re.compile(r"(?:^[^/?#@\s:]+:[^/@\s]+|://[^/?#@\s]*:[^@]*)@")
_BY_NAME = re.compile(r"(?i)(?:pass(?:word|wd|phrase)|pwd|secret|token|api_?key)\w*[\"']?\s*[=:]\s*\S")

_ADVICE = "put it into an environment variable and write env:NAME, or into a file and write file:/path"
HOLDS_PASSWORD = f"holds a password, which must not stand in this file: {_ADVICE}"


def holds_password(text: str) -> bool:
    """Whether a text looks as if a password stood in it: `user:password@`, `password=...`, `token=...`.

    Errs towards yes, because the answer decides whether the text may be printed.
    """
    return bool(_IN_USER_INFO.search(text) or _BY_NAME.search(text))


@dataclass(frozen=True, slots=True)
class Secret:
    """A reference to a secret: `env:NAME` or `file:/absolute/path`.

    A field of this type refuses anything else, so that no secret stands in a pipeline file. The constructor
    raises ValueError, which pydantic turns into a fault; its message never holds what was given.
    """

    reference: str

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise ValueError(problem)

    def __str__(self) -> str:
        return self.reference

    def resolve(self) -> str:
        """The secret itself, without the line end of a file.

        Raise ConfigurationError if the variable or file is missing, unreadable or empty. Trap: never keep the
        result in a value that is printed.
        """
        scheme, _, place = self.reference.partition(":")
        match scheme:
            case "env":
                return _from_environment(place)
            case "file":
                return _from_file(Path(place))
            case _:
                return self.reference

    def _problem(self) -> str | None:
        return _reference_problem(self.reference)

    @classmethod
    def _validated(cls, given: object) -> Self:
        if isinstance(given, cls):
            return given
        if not isinstance(given, str):
            # pydantic makes a fault of a ValueError, and a crash of a TypeError.
            raise ValueError("must be text such as env:NAME or file:/path")
        return cls(given)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic read the reference from text, and print it as text."""
        return core_schema.no_info_plain_validator_function(
            cls._validated, serialization=core_schema.to_string_ser_schema()
        )


@dataclass(frozen=True, slots=True)
class SecretOrPlain(Secret):
    """A reference, or a literal that holds no password, such as `postgresql://reader@db.internal/crm`.

    `resolve` gives a literal as it stands.
    """

    def _problem(self) -> str | None:
        if self.reference.startswith(("env:", "file:")):
            return _reference_problem(self.reference)
        if not self.reference.strip():
            return "is empty"
        if holds_password(self.reference):
            return HOLDS_PASSWORD
        return None


def _reference_problem(text: str) -> str | None:
    if _ENV.fullmatch(text) or _FILE.fullmatch(text):
        return None
    if text.startswith("env:"):
        return "must name a variable, as in env:CRM_PASSWORD: letters, digits and _ only"
    if text.startswith("file:"):
        return "must name a file from the root on, as in file:/run/secrets/crm"
    return f"a secret must not stand in this file: {_ADVICE}"


def _from_environment(name: str) -> str:
    secret = os.environ.get(name)
    if secret is None:
        raise ConfigurationError(
            f"The environment variable {name} is not set.",
            hint=f"Set {name} for this process, for instance with `export {name}=...`.",
            reference=f"env:{name}",
        )
    if not secret.strip():
        raise ConfigurationError(
            f"The environment variable {name} is empty.",
            hint=f"Give {name} the value that the pipeline file refers to.",
            reference=f"env:{name}",
        )
    return secret


def _from_file(file: Path) -> str:
    try:
        secret = file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as failure:
        raise ConfigurationError(
            f"The secret's file {file} cannot be read.",
            hint="Create the file, or let this user read it.",
            reference=f"file:{file}",
            reason=failure.strerror,
        ) from failure
    except ValueError:
        # The decoding error holds the bytes, so it must not be chained.
        secret = None
    if secret is None or not secret.strip():
        raise ConfigurationError(
            f"The secret's file {file} {'is not UTF-8 text' if secret is None else 'is empty'}.",
            hint="Write the secret into the file as one line of UTF-8 text.",
            reference=f"file:{file}",
        )
    return secret
