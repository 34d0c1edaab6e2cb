"""What a person sees of the demo: chapters, notes, and moving figures where there is a terminal.

Decides nothing and measures nothing. Without a terminal, the same story in plain lines.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_INDENT = 3
_BAR = 36
_LINE_SECONDS = 4.0
_PLAIN_WIDTH = 110


@dataclass(frozen=True, slots=True)
class View:
    """One look: rows since the CRM's day began, or all of them before; the share of it that is over; who runs.

    `processes` gives each name its pid, None where it is dead.
    """

    is_day: bool
    made: int
    captured: int
    stored: int
    share: float
    seconds: float
    per_second: float
    processes: Mapping[str, int | None]


class Display:
    """Writes to one console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        if not console.is_terminal:
            console.width = max(console.width, _PLAIN_WIDTH)
        self._live: Live | None = None
        self._chapter = 0
        self._said = 0.0

    def title(self, text: str, beneath: str) -> None:
        """The first thing one sees."""
        self._console.print()
        self._print(Text(text, style="bold"), indent=0)
        self._print(Text(beneath, style="dim"), indent=0)

    def chapter(self, text: str) -> None:
        """A new part of the story."""
        self._chapter += 1
        self._console.print()
        self._print(Text.assemble((f"{self._chapter}  ", "bold cyan"), (text, "bold")), indent=0)

    def note(self, text: str | Text) -> None:
        """A sentence."""
        self._print(Text(text) if isinstance(text, str) else text)

    def space(self) -> None:
        """An empty line."""
        self._console.print()

    def good(self, text: str) -> None:
        """Something that had to hold and does."""
        self._print(Text.assemble(("✓ ", "green"), text))

    def bad(self, text: str) -> None:
        """Something that had to hold and does not."""
        self._print(Text.assemble(("✗ ", "bold red"), (text, "red")))

    def moment(self, seconds: float, text: Text) -> None:
        """Something that happens, at this second of the CRM's day."""
        self._print(Text.assemble((f"{seconds:5.1f} s  ", "dim"), text))

    def command(self, text: str) -> None:
        """Something to type: never broken over two lines, so that it can be copied."""
        self._console.print(Text(" " * _INDENT + text, style="cyan"), soft_wrap=True)

    def block(self, what: RenderableType) -> None:
        """A table or a timeline."""
        self._console.print(Padding(what, (0, 0, 0, _INDENT), expand=False))

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Figures are shown until the end of the block, below the notes."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            try:
                yield
            finally:
                self._live.update(Text(""), refresh=True)
        self._live = None

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Something takes a moment."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(Text(text, style="dim")):
            yield

    def show(self, view: View) -> None:
        """Show the figures: at once on a terminal, elsewhere as a line every few seconds."""
        if self._live is not None:
            self._live.update(_moving(view), refresh=True)
        elif time.monotonic() - self._said > _LINE_SECONDS and (view.is_day or view.stored < view.made):
            self._said = time.monotonic()
            made = "changes made" if view.is_day else "rows there"
            counts = f"{view.made:,} {made}, {view.captured:,} in the log, {view.stored:,} in history"
            if view.is_day:
                self.moment(view.seconds, Text(counts, style="dim"))
            else:
                self.note(Text(counts, style="dim"))

    def _print(self, text: Text, indent: int = _INDENT) -> None:
        if self._console.is_terminal:
            self._console.print(Padding(text, (0, 0, 0, indent), expand=False))
        else:
            # A pipe has no width: a line stays a line.
            self._console.print(Text(" " * indent) + text, soft_wrap=True)


def _moving(view: View) -> RenderableType:
    figures = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    figures.add_column(width=16)
    figures.add_column(width=_BAR)
    figures.add_column(width=8, justify="right")
    figures.add_column(width=16, justify="right")
    whole = max(1.0, view.made / max(view.share, 0.01))
    rate = Text(f"{view.per_second:,.0f} commits/s" if view.is_day else "", style="dim")
    for name, rows, style, beside in (
        ("made by the CRM" if view.is_day else "there", view.made, "cyan", rate),
        ("in the log", view.captured, "blue", _behind(view.made - view.captured)),
        ("in history", view.stored, "green", _behind(view.made - view.stored)),
    ):
        bar = ProgressBar(whole, min(rows, whole), width=_BAR, complete_style=style, finished_style=style)
        figures.add_row(name, bar, f"{rows:,}", beside)
    who = Text()
    for name, pid in view.processes.items():
        who.append("● " if pid else "✗ ", style="green" if pid else "bold red")
        who.append(f"{name} ")
        who.append(f"{pid}   " if pid else "killed   ", style="dim" if pid else "red")
    return Padding(Group(Text(""), figures, Text(""), who), (0, 0, 0, _INDENT), expand=False)


def _behind(rows: int) -> Text:
    if rows <= 0:
        return Text("up to date", style="green")
    return Text(f"{rows:,} behind", style="yellow")
