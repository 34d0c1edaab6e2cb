"""`steno plan` and `steno apply`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from stenograph import assembly
from stenograph import planning as planning_module
from stenograph.cli.exits import Exit
from stenograph.cli.options import JsonOption, PipelineOption, out, pipeline_of, print_json
from stenograph.planning import Forecast

TablesArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Models, history tables or source tables; all of the pipeline if none is named."),
]


def plan(
    tables: TablesArgument = None,
    pipeline: PipelineOption = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements alone, views included.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what would change in the warehouse: tables, columns, types and views. Changes and makes nothing.

    Exit codes: 0 nothing to do, 1 a conflict, 4 something to apply.

    For example:

      steno plan

      steno plan lead -p crm --sql
    """
    found = assembly.plan_of(pipeline_of(pipeline), tables or ())
    if as_json:
        print_json(_described(found))
    elif sql:
        for statement in planning_module.statements_of(found):
            typer.echo(statement)
    else:
        out().print(planning_module.render_plan(found))
    raise typer.Exit(_exit(found, Exit.PENDING))


def apply(
    tables: TablesArgument = None, pipeline: PipelineOption = None, as_json: JsonOption = False
) -> None:
    """Run what `steno plan` shows: this is how a change of a frozen table is let through.

    Exit codes: 0 done, 1 a conflict that no statement settles, which leaves the other tables applied.

    For example:

      steno apply

      steno apply lead -p crm --json
    """
    chosen = pipeline_of(pipeline)
    found = assembly.plan_of(chosen, tables or ())
    assembly.apply_to(chosen, found)
    if as_json:
        print_json(_described(found))
    else:
        out().print(planning_module.render_applied(found))
    raise typer.Exit(_exit(found, Exit.DONE))


def _described(found: Sequence[Forecast]) -> dict[str, object]:
    return {
        "pending": sum(each.is_pending for each in found),
        "conflicts": sum(each.conflict is not None for each in found),
        "tables": [each.as_json() for each in found],
    }


def _exit(found: Sequence[Forecast], pending: Exit) -> Exit:
    if any(each.conflict is not None for each in found):
        return Exit.STOPPED
    return pending if any(each.is_pending for each in found) else Exit.DONE
