"""The commands of `steno`, and the one place where an error becomes an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from stenograph import __version__
from stenograph.cli import loops, questions
from stenograph.cli.doctor import doctor
from stenograph.cli.exits import Exit, exit_of, show, show_bug_json, show_json, show_usage_json
from stenograph.cli.log import log
from stenograph.cli.planning import apply, plan
from stenograph.cli.schemas import schemas
from stenograph.cli.snapshot import snapshot
from stenograph.cli.sql import sql
from stenograph.errors import StenographError

app = typer.Typer(
    name="steno",
    help="Change data capture into append-only history, exactly once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


# What typer raises for a wrong command line; its module differs between its versions.
_WRONG_USAGE: Any = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "UsageError")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"steno {__version__}")
        raise typer.Exit(Exit.DONE)


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Change data capture into append-only history, exactly once.

    Exit codes: 0 done, 1 stopped by an error, 2 wrong configuration, 3 behind or unchecked, 4 something to
    apply, 70 a bug, 130 Ctrl-C.
    """


@app.command()
def demo() -> None:
    """Tell the whole story on this machine: a CRM lives, capture and sink are killed, history is proved.

    For example:

      steno demo
    """
    from stenograph.demo import run as tell  # noqa: PLC0415 - only the demo needs its packages.

    folder = Path.cwd()
    raise typer.Exit(tell(folder, folder / "pipelines" / "demo.yaml", Console(highlight=False)))


app.command()(questions.check)
app.command()(doctor)
app.command()(plan)
app.command()(apply)
app.command()(loops.run)
app.command()(loops.capture)
app.command()(loops.sink)
app.command()(questions.status)
app.command()(questions.history)
app.command()(questions.verify)
app.command()(snapshot)
app.command()(log)
app.command()(sql)
app.add_typer(schemas, name="schemas")


def main() -> None:
    """Run `steno` and exit."""
    _open_what_is_closed()
    try:
        code = _run(as_json="--json" in sys.argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read the output has left, as `head` does: there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = Exit.STOPPED
    sys.exit(code)


def _run(as_json: bool) -> int:
    try:
        # A command that is spelt wrong answers a program in JSON too; typer would answer in prose.
        return app(standalone_mode=not as_json) or Exit.DONE
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else Exit.DONE
    except StenographError as error:
        (show_json if as_json else show)(error)
        return exit_of(error)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last place that can say anything.
        if as_json and isinstance(error, _WRONG_USAGE):
            show_usage_json(str(error.format_message()))
            return Exit.CONFIGURATION
        # Not one of ours: a bug, which needs its traceback and must not look like an answer.
        traceback.print_exc()
        if as_json:
            show_bug_json(error)
        return Exit.BUG


def _open_what_is_closed() -> None:
    """Give closed standard streams to the null device, or a file of ours would get their numbers and their text."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
