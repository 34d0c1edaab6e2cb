"""Topics, records, models and subjects for people.

What a record holds is written by others: letters that a terminal would obey are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stenograph.inspection.models import ModelVersion, SubjectView
from stenograph.inspection.records import RecordView
from stenograph.inspection.topics import TopicView
from stenograph.offsets import ORDER_BYTES, parts_of

_OP_STYLE = {
    "create": "green",
    "snapshot": "cyan",
    "update": "yellow",
    "delete": "red",
    "truncate": "red",
    "tombstone": "dim",
    "message": "magenta",
}
_WIDEST = 200


def render_topics(topics: Sequence[TopicView], unread: str | None) -> RenderableType:
    """A line a partition; `unread` is why history could not be asked."""
    if not topics:
        return Text("The log holds no topic.", style="dim")
    table = _table("topic", "table")
    for name in ("partition", "first", "end", "ledger", "waiting"):
        table.add_column(name, justify="right", no_wrap=True)
    for topic in topics:
        for part in topic.partitions:
            waiting = "" if part.ledger is None else f"{max(0, part.end - part.ledger):,}"
            table.add_row(
                Text(topic.topic),
                Text(topic.table or ""),
                str(part.partition),
                f"{part.first:,}",
                f"{part.end:,}",
                "" if part.ledger is None else f"{part.ledger:,}",
                waiting,
            )
    return Group(table, *([Text(f"The ledger is not shown: {unread}", style="yellow")] if unread else []))


def render_records(topic: str, records: Sequence[RecordView]) -> RenderableType:
    """A line a record; below it its rows, where they were asked for, or why it cannot be decoded."""
    title = Text(topic, style="bold")
    if not records:
        return Group(title, Text("No record there.", style="dim"))
    return Group(title, *(line for record in records for line in _record(record)))


def render_models(versions: Sequence[ModelVersion], subjects: Sequence[SubjectView]) -> RenderableType:
    """A line a version and a line a subject."""
    models = _table("model", "version", "home", "key", "fed by")
    models.add_column("fields", overflow="fold")
    for each in versions:
        model = each.model
        fields = ", ".join(
            f"{column.name} {column.type}{'' if column.name in model.required else '?'}"
            for column in model.shape.columns
        )
        models.add_row(
            model.name,
            f"v{model.version}",
            each.home.value,
            ", ".join(model.shape.key),
            Text(", ".join(each.tables)),
            Text(fields),
        )
    if not subjects:
        return models
    registry = _table("subject", "id")
    registry.add_column("columns", overflow="fold")
    for subject in subjects:
        registry.add_row(Text(subject.subject), str(subject.schema_id), Text(", ".join(subject.columns)))
    return Group(models, Text(), registry)


def _record(record: RecordView) -> list[RenderableType]:
    key = "" if record.key is None else _row(record.key)
    line = Text.assemble(
        (f"{record.partition}/{record.offset:<9}", "bold"),
        f" {record.at:%Y-%m-%d %H:%M:%S}.{record.at.microsecond // 1000:03d}  ",
        (f"{record.op or 'unreadable':10}", _OP_STYLE.get(record.op or "", "red")),
        f" {key}  ",
        (f"{record.lane or 'no lane'} {_order(record.order)}", "dim"),
    )
    lines: list[RenderableType] = [line]
    if record.error is not None:
        lines.append(Text(f"    {plain(record.error)}", style="red"))
    if record.note is not None:
        lines.append(Text(f"    {plain(record.note)}", style="magenta"))
    for name, row in (("before", record.before), ("after", record.after)):
        if row is not None:
            lines.append(Text.assemble((f"    {name:7}", "dim"), _row(row)))
    if record.unchanged:
        lines.append(Text(f"    not sent: {plain(', '.join(record.unchanged))}", style="dim"))
    return lines


def _row(row: Mapping[str, object]) -> str:
    return "  ".join(f"{plain(name)}={_value(value)}" for name, value in row.items())


def _value(value: object) -> str:
    if value is None:
        return "∅"
    text = plain(value.hex() if isinstance(value, bytes) else str(value))
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]}…"


def _order(order: str | None) -> str:
    if order is None:
        return "no order"
    raw = bytes.fromhex(order)
    if len(raw) != ORDER_BYTES:
        return order
    run, commit, change, ordinal = parts_of(raw)
    return f"{run}:{commit:X}:{change:X}:{ordinal}"


def plain(text: str) -> str:
    """The text with every letter replaced that a terminal does not print."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        table.add_column(name, no_wrap=True)
    return table
