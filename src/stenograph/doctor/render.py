"""An examination for people: every point on a line, then what to mend, in order."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stenograph.diagnosis import State
from stenograph.doctor.examination import Examination, Finding

_STYLE = {State.OK: "green", State.WARNING: "yellow", State.FAULT: "bold red"}


def render(examination: Examination) -> RenderableType:
    """The examination as a rich renderable.

    Print it with `crop=False`: each fix is one line, however long, so that it can be pasted.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("system", "state", "point"):
        table.add_column(name, no_wrap=True)
    table.add_column("", overflow="fold")
    for finding in examination.findings:
        said = finding.diagnosis
        table.add_row(
            finding.system,
            Text(said.state.value, style=_STYLE[said.state]),
            Text(said.name),
            Text(said.sentence),
        )
    return Group(Text(f"Pipeline {examination.pipeline}", style="bold"), table, *_mending(examination))


def _mending(examination: Examination) -> list[RenderableType]:
    faults = [each for each in examination.of(State.FAULT) if each.diagnosis.fix]
    warnings = [each for each in examination.of(State.WARNING) if each.diagnosis.fix]
    lines: list[RenderableType] = []
    if faults:
        lines += [Text("\nTo mend, in this order:", style="bold"), *_numbered(faults)]
    if warnings:
        lines += [Text("\nTo consider:", style="bold"), *_numbered(warnings)]
    if examination.ok:
        lines.append(Text("\nNothing is at fault.", style="green"))
    return lines


def _numbered(findings: list[Finding]) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for number, finding in enumerate(findings, start=1):
        said = finding.diagnosis
        lines.append(Text(f"{number:2}. {said.name} ({finding.system})", style=_STYLE[said.state]))
        lines.append(Text(f"    {said.fix}", no_wrap=True, overflow="ignore"))
    return lines
