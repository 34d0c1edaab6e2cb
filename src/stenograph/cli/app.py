"""The commands of `steno`, and the one place where an error becomes an exit code."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import typer
from rich.console import Console

from stenograph import __version__
from stenograph.cli import loops, questions
from stenograph.cli.exits import Exit, exit_of, show, show_json
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

    Exit codes: 0 done, 1 stopped by an error, 2 wrong configuration, 3 behind or unchecked, 70 a bug.
    """


@app.command()
def demo() -> None:
    """Tell the whole story on this machine: a CRM lives, capture and sink are killed, history is proved.

    Example:

      steno demo
    """
    from stenograph.demo import run as tell

    folder = Path.cwd()
    raise typer.Exit(tell(folder, folder / "pipelines" / "demo.yaml", Console(highlight=False)))


app.command()(questions.check)
app.command()(loops.run)
app.command()(loops.capture)
app.command()(loops.sink)
app.command()(questions.status)
app.command()(questions.history)
app.command()(questions.verify)
app.command()(sql)


def main() -> None:
    """Run `steno` and exit."""
    try:
        app()
    except StenographError as error:
        (show_json if "--json" in sys.argv else show)(error)
        sys.exit(exit_of(error))
    except Exception:
        # Not one of ours: a bug, which needs its traceback and must not look like an answer.
        traceback.print_exc()
        sys.exit(Exit.BUG)
