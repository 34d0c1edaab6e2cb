"""A status for people: a table of tables, a line a loop, and what needs attention."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stenograph.status.look import LoopStatus, Status


def render(status: Status) -> RenderableType:
    """The status as a rich renderable."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("table", no_wrap=True)
    table.add_column("history", no_wrap=True)
    for name in ("in log", "stored", "waiting", "for", "set aside"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in status.tables:
        table.add_row(
            row.table,
            row.history,
            _number(row.in_log),
            _number(row.stored_up_to),
            Text(_number(row.waiting), style="yellow" if row.waiting != 0 else "green"),
            f"{row.waiting_seconds:.0f} s" if row.waiting else "",
            Text(_number(row.quarantined), style="red" if row.quarantined != 0 else ""),
        )
    lines: list[RenderableType] = [Text(f"Pipeline {status.pipeline}", style="bold"), table]
    lines += [_loop(loop) for loop in status.loops]
    for loop in status.loops:
        lines += [Text(f"{loop.loop}: {loop.error}", style="red")] if loop.error else []
        lines += [Text(f"paused {topic}: {why}", style="red") for topic, why in loop.paused.items()]
    lines += [Text(f"gap: {gap}", style="red") for gap in status.gaps]
    lines += [Text(f"cannot be read now: {why}", style="red") for why in status.unread]
    return Group(*lines)


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _counted(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"


def _loop(loop: LoopStatus) -> Text:
    if loop.pid is None:
        return Text.assemble((f"{loop.loop:8}", "bold"), ("not running", "yellow"))
    retries = f", {_counted(loop.retries, 'retry', 'retries')}" if loop.retries else ""
    reading = f", reading {loop.reading}" if loop.reading else ""
    return Text.assemble(
        (f"{loop.loop:8}", "bold"),
        ("running", "green"),
        f" as process {loop.pid}, {_counted(loop.records, 'record', 'records')}{retries}{reading}",
    )
