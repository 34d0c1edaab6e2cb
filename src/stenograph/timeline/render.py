"""A timeline for people: one line a change, what it changed beside it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stenograph.timeline.life import Change, Entry, Timeline

_STYLE = {
    "create": "green",
    "snapshot": "cyan",
    "update": "yellow",
    "delete": "red",
    "truncate": "red",
}
_WIDEST = 60


def render(life: Timeline) -> RenderableType:
    """The life as a rich renderable."""
    named = ", ".join(f"{name}={value}" for name, value in life.key.items())
    title = Text.assemble((life.table, "bold"), f"  {named}")
    if not life.entries:
        return Group(title, Text("No change of this record is in history.", style="dim"))
    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    table.add_column("committed (UTC)", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("changes", overflow="fold")
    for entry in life.entries:
        table.add_row(
            f"{entry.committed_at:%Y-%m-%d %H:%M:%S}.{entry.committed_at.microsecond // 1000:03d}",
            Text(entry.op, style=_STYLE.get(entry.op, "")),
            _changes(entry),
        )
    end = "It exists." if life.exists else "It does not exist any more."
    return Group(title, table, Text(end, style="dim"))


def _changes(entry: Entry) -> Text:
    text = Text()
    if entry.related_key:
        arrow = "moved to" if entry.op == "delete" else "moved from"
        text.append(f"{arrow} {entry.related_key}  ", style="magenta")
    if entry.op in ("create", "snapshot"):
        known = (change for change in entry.changes if change.new is not None)
        text.append("  ".join(f"{c.column}={_short(c.new)}" for c in known))
    else:
        for change in entry.changes:
            _difference(text, change)
    return text


def _difference(text: Text, change: Change) -> None:
    if text:
        text.append("  ")
    text.append(f"{change.column} ")
    text.append(_short(change.old), style="dim")
    text.append(" → ")
    text.append(_short(change.new), style="bold")


def _short(value: str | None) -> str:
    if value is None:
        return "∅"
    return value if len(value) <= _WIDEST else f"{value[: _WIDEST - 1]}…"
