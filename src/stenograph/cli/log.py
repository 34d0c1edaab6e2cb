"""`steno log`: a look inside the change log."""

from __future__ import annotations

from typing import Annotated

import typer

from stenograph import assembly
from stenograph.cli.options import JsonOption, PipelineOption, out, pipeline_of, print_json
from stenograph.inspection import Values
from stenograph.inspection.render import render_records, render_topics


def log(
    topic: Annotated[
        str | None,
        typer.Argument(help="A topic, a source table, a model or a history table; without it, all topics."),
    ] = None,
    partition: Annotated[int | None, typer.Option(help="Only this partition.", min=0)] = None,
    offset: Annotated[int | None, typer.Option(help="From this offset on; else the newest.", min=0)] = None,
    limit: Annotated[
        int, typer.Option(help="At most so many records of each partition.", min=1, max=10_000)
    ] = assembly.NEWEST,
    values: Annotated[bool, typer.Option("--values", help="Show the rows' values too.")] = False,
    pipeline: PipelineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look inside the change log: its topics, or a topic's records. Moves nothing.

    Keys are shown, the other values of rows only with --values.

    For example:

      steno log

      steno log lead --limit 5

      steno log crm.public.lead --partition 0 --offset 1000 --values --json
    """
    chosen = pipeline_of(pipeline)
    if topic is None:
        topics, unread = assembly.log_topics(chosen)
        if as_json:
            print_json(
                {"pipeline": chosen.name, "topics": [each.as_json() for each in topics], "unread": unread}
            )
        else:
            out().print(render_topics(topics, unread))
        return
    where = assembly.Where(partition, offset, limit)
    name, records = assembly.log_records(chosen, topic, where, Values.SHOWN if values else Values.HIDDEN)
    if as_json:
        print_json({"pipeline": chosen.name, "topic": name, "records": [each.as_json() for each in records]})
    else:
        out().print(render_records(name, records), crop=False)
