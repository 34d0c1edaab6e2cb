"""`steno check`, `steno status`, `steno history` and `steno verify`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stenograph import assembly
from stenograph import status as status_module
from stenograph import timeline as timeline_module
from stenograph.cli.exits import Exit
from stenograph.cli.options import JsonOption, PipelineOption, out, pipeline_of, print_json
from stenograph.pipeline import ConfigurationFaults, Fault, Pipeline, all_pipelines, describe, find
from stenograph.verify import Report, Verdict


def check(pipeline: PipelineOption = None, as_json: JsonOption = False) -> None:
    """Check pipeline files and models: every fault at once, with file and line. Touches no network.

    For example:

      steno check

      steno check -p crm --json
    """
    checked, faults = _checked(pipeline)
    if as_json:
        print_json(
            {
                "ok": not faults,
                "pipelines": [describe(each) for each in checked],
                "faults": [fault.as_json() for fault in faults],
            }
        )
        raise typer.Exit(Exit.CONFIGURATION if faults else Exit.DONE)
    for each in checked:
        tables = ", ".join(str(table) for table in each.tables)
        out().print(f"{_shown(each.file)}: ok. {each.source_kind} {each.source_name}: {tables}")
    if faults:
        raise ConfigurationFaults(faults)


def status(pipeline: PipelineOption = None, as_json: JsonOption = False) -> None:
    """Show what waits per table, who runs the loops, and what needs a person.

    For example:

      steno status

      steno status -p crm --json
    """
    seen = assembly.status(pipeline_of(pipeline))
    if as_json:
        print_json(seen.as_json())
    else:
        out().print(status_module.render(seen))
    raise typer.Exit(Exit.STOPPED if seen.unread else Exit.DONE)


def history(
    table: Annotated[str, typer.Argument(help="A model, a history table or a source table.")],
    key: Annotated[list[str], typer.Argument(help="The record's key; several values for a composite key.")],
    pipeline: PipelineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one record's life: every change, and what it changed.

    For example:

      steno history lead 42

      steno history public.composite_key eu 1 -p crm --json
    """
    life = assembly.life_of(pipeline_of(pipeline), table, key)
    if as_json:
        print_json(life.as_json())
    else:
        out().print(timeline_module.render(life))


def verify(
    pipeline: PipelineOption = None,
    patience: Annotated[
        float, typer.Option(help="Seconds to wait for the pipeline to catch up.", min=0)
    ] = assembly.PATIENCE.total_seconds(),
    as_json: JsonOption = False,
) -> None:
    """Prove that history is what the log and the source say. Works while the pipeline runs; writes nothing.

    Exit codes: 0 proved, 1 differs, 3 behind or partly unchecked.

    For example:

      steno verify

      steno verify -p crm --json --patience 120
    """
    chosen = pipeline_of(pipeline)
    wait = timedelta(seconds=patience)
    if as_json:
        report = assembly.verify(chosen, wait, lambda _: None)
        print_json(report.as_json())
    else:
        with Console(stderr=True).status("verifying") as spinner:
            report = assembly.verify(chosen, wait, spinner.update)
        _show(report)
    raise typer.Exit(report.verdict)


def _show(report: Report) -> None:
    console = out()
    sentence, style = {
        Verdict.PROVED: ("Proved: history is what the log and the source say.", "green"),
        Verdict.DIFFERS: ("Differs: history is not what the log and the source say.", "red"),
        Verdict.BEHIND: ("Behind or partly unchecked: nothing differs in what could be checked.", "yellow"),
    }[report.verdict]
    console.print(Text(sentence, style=style))
    counts = Table(box=None, pad_edge=False, show_header=False)
    for name, count in sorted(report.counts.items()):
        counts.add_row(name.replace("_", " "), f"{count:,}")
    console.print(counts)
    for finding in report.differences:
        console.print(Text(f"differs    {finding}", style="red"))
    for finding in report.unchecked:
        console.print(Text(f"unchecked  {finding}", style="yellow"))


def _checked(argument: str | None) -> tuple[list[Pipeline], list[Fault]]:
    checked: list[Pipeline] = []
    faults: list[Fault] = []
    for file in _files(argument):
        try:
            checked.append(pipeline_of(str(file)))
        except ConfigurationFaults as found:
            faults.extend(found.faults)
    return checked, faults


def _files(argument: str | None) -> list[Path]:
    files = all_pipelines(Path.cwd())
    # One pipeline that is meant, or none at all: what `find` says is the answer.
    return files if argument is None and files else [find(argument, Path.cwd())]


def _shown(file: Path) -> str:
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
