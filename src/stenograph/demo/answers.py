"""What the finished history can be asked: one lead's life, the table as it was at an instant.

Asks through the same doors as an analyst: the timeline and the views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from rich.console import RenderableType
from rich.table import Table

from stenograph import assembly, timeline
from stenograph.demo.journal import Change, Kind, Tally
from stenograph.demo.plot import LEAD
from stenograph.pipeline import Pipeline

_TIMESTAMPS = ("created_at", "updated_at")
_STATUSES = ("new", "contacted", "qualified", "won", "lost")


def life(pipeline: Pipeline, dead: Sequence[tuple[datetime, datetime]]) -> tuple[RenderableType, int]:
    """The life of the plot's lead, and how many of its changes fell into those stretches of time."""
    told = assembly.life_of(pipeline, "lead", [str(LEAD)])
    entries = tuple(
        replace(entry, changes=tuple(c for c in entry.changes if c.column not in _TIMESTAMPS))
        for entry in told.entries
    )
    fell = [entry for entry in entries if any(began <= entry.committed_at <= ended for began, ended in dead)]
    return timeline.render(replace(told, entries=entries)), len(fell)


def statuses(pipeline: Pipeline, at: datetime) -> RenderableType:
    """How many leads stood where, at that instant and now."""
    console = assembly.console(pipeline)
    was = console.query("SELECT status, count(*) FROM lead_as_of(?) GROUP BY ALL", [at])
    now = console.query("SELECT status, count(*) FROM lead_current GROUP BY ALL")
    columns = [dict(zip(*answer.rows.to_pydict().values(), strict=True)) for answer in (was, now)]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    table.add_column("leads")
    table.add_column(f"at {at:%H:%M:%S}", justify="right")
    table.add_column("now", justify="right")
    for status in _STATUSES:
        table.add_row(status, *(f"{column.get(status, 0):,}" for column in columns))
    table.add_row("all", *(f"{sum(column.values()):,}" for column in columns), style="dim")
    return table


def new_columns(pipeline: Pipeline) -> str:
    """What became of the columns that the CRM added."""
    console = assembly.console(pipeline)
    deals = console.query("SELECT count(*) FROM public_deal_history WHERE discount IS NOT NULL")
    leads = console.query("SELECT count(*) FROM lead_history WHERE _steno_extra ->> 'campaign' IS NOT NULL")
    of_deals, of_leads = (answer.rows.column(0)[0].as_py() for answer in (deals, leads))
    return (
        f"deal.discount became a column of its history ({of_deals:,} rows have it); lead.campaign, which the "
        f"model does not know, is kept in _steno_extra ({of_leads:,} rows)."
    )


def counts(tally: Tally, tables: tuple[str, ...]) -> RenderableType:
    """The CRM's counts, by table and kind."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    table.add_column("table")
    for heading in ("there before", "creates", "updates", "deletes", "key changes"):
        table.add_column(heading, justify="right")
    for name in tables:
        table.add_row(name, *(f"{tally.changes[Kind(name, change)]:,}" for change in Change))
    return table
