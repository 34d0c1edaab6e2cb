"""`steno doctor`: whether the live systems let the pipeline work."""

from __future__ import annotations

import typer
from rich.console import Console

from stenograph import assembly
from stenograph import doctor as doctor_module
from stenograph.cli.exits import Exit
from stenograph.cli.options import JsonOption, PipelineOption, out, pipeline_of, print_json


def doctor(pipeline: PipelineOption = None, as_json: JsonOption = False) -> None:
    """Try the live systems and say what to mend, in order. Changes and makes nothing in them.

    Exit codes: 0 nothing at fault, 1 a fault.

    For example:

      steno doctor

      steno doctor -p crm --json
    """
    chosen = pipeline_of(pipeline)
    if as_json:
        examination = assembly.doctor(chosen)
        print_json(examination.as_json())
    else:
        with Console(stderr=True).status("examining"):
            examination = assembly.doctor(chosen)
        out().print(doctor_module.render(examination), crop=False)
    raise typer.Exit(Exit.DONE if examination.ok else Exit.STOPPED)
