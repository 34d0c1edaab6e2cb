"""Finds the pipeline file that a command means.

Reads no file: whether it holds a pipeline is for `load` to say.
"""

from __future__ import annotations

from pathlib import Path

from stenograph.errors import ConfigurationError
from stenograph.pipeline.faults import shown, suggestion

_ENDINGS = (".yaml", ".yml")


def find(argument: str | None, cwd: Path) -> Path:
    """The file that `-p NAME` or `-p FILE` means, or the only one there is.

    A name is looked up in the nearest `pipelines/` folder, from `cwd` upward, that holds a pipeline. Raise
    ConfigurationError, listing the candidates, where none or several are meant.
    """
    files = _candidates(cwd)
    if argument is None:
        return _only(files, cwd)
    if "/" in argument or argument.endswith(_ENDINGS):
        return _file(argument, files, cwd)
    named = [file for file in files if file.stem == argument]
    if len(named) == 1:
        return named[0]
    if named:
        raise ConfigurationError(
            f'Two files are the pipeline "{shown(argument)}".',
            hint="Remove one of them, or name the file with -p.",
            candidates=_listed(named, cwd),
        )
    if argument and _is_file(cwd / argument):
        return cwd / argument
    raise ConfigurationError(
        f'There is no pipeline "{shown(argument)}"{suggestion(argument, [file.stem for file in files])}',
        hint=_choice(files) if files else f"Write {shown(argument)}.yaml in a folder called pipelines.",
        candidates=_listed(files, cwd),
    )


def all_pipelines(cwd: Path) -> list[Path]:
    """Every pipeline file of the nearest `pipelines/` folder, from `cwd` upward; empty where there is none."""
    return _candidates(cwd)


def _candidates(cwd: Path) -> list[Path]:
    for folder in (cwd, *cwd.parents):
        try:
            files = [
                file
                for file in (folder / "pipelines").iterdir()
                if file.suffix in _ENDINGS and file.is_file()
            ]
        except OSError:
            # A folder that is not there or not readable holds no pipeline for us.
            continue
        if files:
            return sorted(files)
    return []


def _only(files: list[Path], cwd: Path) -> Path:
    if len(files) == 1:
        return files[0]
    if files:
        raise ConfigurationError(
            f"There are {len(files)} pipelines, and the command names none.",
            hint=_choice(files),
            candidates=_listed(files, cwd),
        )
    raise ConfigurationError(
        "There is no pipeline here.",
        hint="Go to a folder with pipelines/NAME.yaml in it or above it, or name a file with -p FILE.",
        looked_in=cwd,
    )


def _file(argument: str, files: list[Path], cwd: Path) -> Path:
    file = cwd / argument
    if _is_file(file):
        return file
    if "/" not in argument:
        beside = [each for each in files if each.name == argument]
        if beside:
            return beside[0]
    raise ConfigurationError(
        "The pipeline file cannot be found.",
        hint=_choice(files) if files else "Check the path that follows -p.",
        file=shown(argument),
        candidates=_listed(files, cwd),
    )


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):
        # A name that no file system takes is no file.
        return False


def _choice(files: list[Path]) -> str:
    return "Name one: " + ", ".join(f"-p {name}" for name in dict.fromkeys(file.stem for file in files)) + "."


def _listed(files: list[Path], cwd: Path) -> str:
    return (
        ", ".join(str(file.relative_to(cwd) if file.is_relative_to(cwd) else file) for file in files)
        or "none"
    )
