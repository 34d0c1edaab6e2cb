"""Options that several commands share, and how they print."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from stenograph.assembly import load_pipeline
from stenograph.pipeline import Pipeline

PipelineOption = Annotated[
    str | None,
    typer.Option(
        "--pipeline",
        "-p",
        metavar="NAME|FILE",
        help="The pipeline: a name under pipelines/, or a file. Not needed where there is only one.",
    ),
]
_UNLIMITED = 100_000
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def pipeline_of(argument: str | None) -> Pipeline:
    """The pipeline that the command means."""
    return load_pipeline(argument, Path.cwd())


def out() -> Console:
    """Standard output for people; where it is not a terminal, without colours and with every row on one line.

    COLUMNS sets a width there too.
    """
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, soft_wrap=True, width=None if "COLUMNS" in os.environ else _UNLIMITED)


def print_json(value: object) -> None:
    """One JSON document on standard output; bytes in hex, and what JSON has no number for as text."""
    json.dump(_jsonable(value), sys.stdout, ensure_ascii=False, default=str)
    sys.stdout.write("\n")


def _jsonable(value: object) -> object:
    match value:
        case Mapping():
            return {str(name): _jsonable(item) for name, item in value.items()}
        case list() | tuple():
            return [_jsonable(item) for item in value]
        case bytes():
            return value.hex()
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value
