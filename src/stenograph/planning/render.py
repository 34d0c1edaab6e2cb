"""Forecasts for people, and their statements to be pasted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from stenograph.planning.forecast import Forecast, State
from stenograph.schemas import Evolution

_STYLE = {
    State.DONE: "green",
    State.CREATE: "yellow",
    State.CHANGE: "yellow",
    State.UNKNOWN: "dim",
    State.CONFLICT: "red",
}
_BY_ITSELF = {
    Evolution.EVOLVE: "the sink does this by itself, with the first row that needs it",
    Evolution.FREEZE: "the table is frozen: its sink pauses until `steno apply` has run",
    Evolution.IGNORE: "the table ignores this: what does not fit goes to _steno_extra until `steno apply` has run",
}


def statements_of(tables: Sequence[Forecast]) -> list[str]:
    """Every statement in the order in which `steno apply` runs it."""
    bookkeeping = dict.fromkeys(sql for each in tables for sql in each.planned.bookkeeping)
    rest = (sql for each in tables for sql in (*each.planned.table, *each.planned.views))
    return [_ended(sql) for sql in (*bookkeeping, *rest)]


def render_plan(tables: Sequence[Forecast]) -> RenderableType:
    """What is to be done for each table, and a last line that says what to run."""
    lines: list[RenderableType] = []
    bookkeeping = dict.fromkeys(sql for each in tables for sql in each.planned.bookkeeping)
    if bookkeeping:
        lines.append(Text(f"There is no history yet: {len(bookkeeping)} bookkeeping tables to be made.\n"))
    for each in tables:
        lines += _table(each)
    lines.append(_conclusion(tables))
    return Group(*lines)


def render_applied(tables: Sequence[Forecast]) -> RenderableType:
    """What was done, and what could not be."""
    lines: list[RenderableType] = []
    for each in tables:
        if each.is_pending:
            lines.append(Text.assemble(("applied   ", "green"), each.plan.history, f": {_summary(each)}"))
        elif each.conflict is not None:
            lines.append(Text.assemble(("conflict  ", "red"), each.plan.history))
            lines += _conflict(each)
    if any(each.is_pending and each.plan.evolution is Evolution.FREEZE for each in tables):
        lines.append(Text("A table that has paused goes on when the sink is started again."))
    if not lines:
        lines.append(Text("Nothing to do: history has the shape that the pipeline needs.", style="green"))
    return Group(*lines)


def _table(each: Forecast) -> Iterator[RenderableType]:
    model = "" if each.plan.model is None else f" as {each.plan.model.name} v{each.plan.model.version}"
    head = Text.assemble((str(each.plan.table), "bold"), f"{model} → {each.plan.history}  ")
    head.append(each.state.value, _STYLE[each.state])
    yield head
    if each.conflict is not None:
        yield from _conflict(each)
    if each.is_pending:
        yield Text(f"  {_summary(each)}; {_BY_ITSELF[each.plan.evolution]}", style="dim")
        for sql in each.planned.table:
            yield Text("\n".join(f"    {line}" for line in _ended(sql).splitlines()))
        if each.planned.views:
            yield Text(
                f"    and {len(each.planned.views)} views made anew (`--sql` shows all statements)",
                style="dim",
            )


def _summary(each: Forecast) -> str:
    change, known = each.change, each.known
    assert change is not None
    if known is None:
        return f"a table of {len(change.shape.columns)} columns"
    before = {column.name: column.type for column in known.columns}
    parts = [f"{column.name} {column.type} added" for column in change.adds]
    parts += [f"{c.name} widened from {before[c.name]} to {c.type}" for c in change.widens]
    if change.shape.key != known.key:
        parts.append(f"key {', '.join(change.shape.key) or 'none'}")
    return ", ".join(parts)


def _conflict(each: Forecast) -> Iterator[RenderableType]:
    assert each.conflict is not None
    yield Text(f"  {each.conflict}", style="red")
    yield Text(f"  next: {each.conflict.hint}")


def _conclusion(tables: Sequence[Forecast]) -> RenderableType:
    pending = sum(each.is_pending for each in tables)
    if pending:
        return Text(
            f"\n{pending} of {len(tables)} tables to be made or changed. Run `steno apply` to do it now."
        )
    if any(each.conflict is not None for each in tables):
        return Text("\nNothing that `steno apply` could do.")
    return Text("\nNothing to do: history has the shape that the pipeline needs.", style="green")


def _ended(sql: str) -> str:
    return sql.strip().removesuffix(";") + ";"
