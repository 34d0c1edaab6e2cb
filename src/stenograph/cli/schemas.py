"""`steno schemas list` and `steno schemas check`."""

from __future__ import annotations

from pathlib import Path

import typer

from stenograph import assembly
from stenograph.cli.exits import Exit
from stenograph.cli.options import JsonOption, PipelineOption, out, pipeline_of, print_json
from stenograph.inspection import check_models, listed_models
from stenograph.inspection.render import render_models
from stenograph.pipeline import ConfigurationFaults, all_pipelines

schemas = typer.Typer(
    help="The company's models, and the schemas of the log's records.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@schemas.command("list")
def list_schemas(pipeline: PipelineOption = None, as_json: JsonOption = False) -> None:
    """List models with versions, fields and the tables that feed them, and the registry's subjects with their ids.

    For example:

      steno schemas list

      steno schemas list -p crm --json
    """
    here = Path.cwd()
    files = all_pipelines(here)
    chosen = [pipeline_of(str(file)) for file in files] if pipeline is None else [pipeline_of(pipeline)]
    versions = listed_models(assembly.project_of(here) if pipeline is None else chosen[0].folder, chosen)
    found = [subject for each in chosen for subject in assembly.registry_subjects(each)]
    if as_json:
        print_json(
            {
                "models": [each.as_json() for each in versions],
                "subjects": [each.as_json() for each in found],
            }
        )
    else:
        out().print(render_models(versions, found))


@schemas.command("check")
def check_schemas(as_json: JsonOption = False) -> None:
    """Check every model file, and that each version can follow the one before. Touches no network.

    Exit codes: 0 no fault, 2 a fault.

    For example:

      steno schemas check

      steno schemas check --json
    """
    versions, faults = check_models(assembly.project_of(Path.cwd()))
    if as_json:
        print_json(
            {
                "ok": not faults,
                "models": [each.as_json() for each in versions],
                "faults": [fault.as_json() for fault in faults],
            }
        )
        raise typer.Exit(Exit.CONFIGURATION if faults else Exit.DONE)
    if faults:
        raise ConfigurationFaults(faults)
    count = len({each.model.name for each in versions})
    out().print(f"ok. {len(versions)} versions of {count} models")
