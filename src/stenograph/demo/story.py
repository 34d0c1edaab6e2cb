"""The demo's story, from an empty folder to a proved history that answers questions.

Starts what a person would start and asks what a person would ask; knows no other way into history.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import psycopg
from psycopg import sql
from rich.text import Text

from stenograph.assembly import Wiring, verify
from stenograph.demo import answers
from stenograph.demo.count import count_history, differences
from stenograph.demo.day import LENGTH, Day
from stenograph.demo.display import Display
from stenograph.demo.journal import JournalReader, JournalWriter, Tally
from stenograph.demo.meter import Meter
from stenograph.demo.plot import LEAD
from stenograph.demo.processes import Child, end_all
from stenograph.demo.watch import CRM, LOOPS, Watch
from stenograph.sources.postgres.server import embedded, is_running
from stenograph.supervisor import held_by
from stenograph.verify import Verdict

_PATIENCE = timedelta(seconds=60)
_STILL = timedelta(seconds=12)
"""When nothing has moved for so long, waiting is over and the proof says what is missing."""


class Story:
    """One telling. `failed` is whether something did not hold."""

    def __init__(self, wiring: Wiring, postgres: Path, display: Display) -> None:
        self._wiring = wiring
        self._pipeline = wiring.pipeline
        self._tables = tuple(plan.table.name for plan in wiring.plans)
        self._postgres = postgres
        self._display = display
        self._state = wiring.site.state
        self._journal = self._state / "journal.jsonl"
        self._children = {name: self._child(name) for name in (CRM, *LOOPS)}
        self.failed = False

    def tell(self) -> None:
        """From the first chapter to the last; whatever happens, no process is left."""
        began = time.monotonic()
        self._display.title(
            "Stenograph: every change of a database, in order, in append-only history, exactly once",
            f"A small CRM works for {LENGTH.seconds} seconds, while the processes that write its history are killed.",
        )
        with ExitStack() as exits:
            self._open_crm(exits)
            exits.callback(self._end_quietly)
            with Meter(self._wiring, self._journal) as meter, self._display.moving():
                watch = Watch(meter, self._display, self._children, self._tally().rows)
                self._read_what_is_there(watch)
                day = self._work(watch)
            self._prove()
            self._count()
            self._end_loops()
        self._check_nothing_is_left()
        if self.failed:
            self._display.space()
            self._display.bad(
                f"The demo failed: what is marked above did not hold. See {_shown(self._state)}."
            )
            return
        self._ask(day)
        self._say_what_next()
        self._display.good(
            f"Everything held, in {time.monotonic() - began:.0f} s. The data stays in {_shown(self._state)}."
        )

    def _open_crm(self, exits: ExitStack) -> None:
        self._display.chapter("A Postgres with a small CRM")
        self._state.mkdir(parents=True)
        began = time.monotonic()
        with self._display.waiting("starting Postgres"):
            dsn = exits.enter_context(embedded(self._postgres))
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(files(__package__).joinpath("crm.sql").read_bytes())
            rows = {table: _count(connection, table) for table in self._tables}
        journal = JournalWriter(self._journal)
        journal.found(rows)
        journal.close()
        there = _listed([f"{count:,} {table}s" for table, count in rows.items()])
        self._display.note(f"It started in {time.monotonic() - began:.1f} s and holds {there}.")

    def _read_what_is_there(self, watch: Watch) -> None:
        self._display.chapter("Capture and sink start, and read what is there")
        began = time.monotonic()
        pids = {name: self._children[name].start() for name in LOOPS}
        self._display.note(f"Capture is process {pids['capture']}, sink is process {pids['sink']}.")
        rows = self._tally().rows
        if not watch.until(lambda now: now.stored >= rows, _PATIENCE):
            raise self._children["sink"].failed("did not store what capture read")
        self._display.note(
            f"{rows:,} rows went through the log into history in {time.monotonic() - began:.1f} s."
        )

    def _work(self, watch: Watch) -> Day:
        self._display.chapter("The CRM works, and the killing begins")
        day = Day(watch, self._display, self._children)
        before = self._tally().rows
        code = day.live()
        tally = self._tally()
        self._display.moment(
            watch.seconds,
            Text(
                f"The day is over: {tally.rows - before:,} changes in {tally.committed:,} transactions; "
                f"{tally.rolled_back:,} more were rolled back."
            ),
        )
        if code != 0:
            self._fails(f"The CRM ended with exit code {code}; read {self._children[CRM].output}.")
        if watch.until_stored(_PATIENCE, _STILL):
            self._display.moment(watch.seconds, Text("History holds as many changes as the CRM made."))
        else:
            now = watch.look()
            self._fails(f"History stands still, {now.made - now.stored:,} changes behind the CRM.")
        return day

    def _prove(self) -> None:
        self._display.chapter("The proof")
        with self._display.waiting("verifying"):
            report = verify(self._pipeline, _PATIENCE, lambda _: None)
        if report.verdict is Verdict.PROVED:
            self._display.good("steno verify: history is what the log and the source say.")
        else:
            self._fails(f"steno verify: {report.verdict.name.lower()}.")
        for finding in [*report.differences, *report.unchecked][:5]:
            self._display.note(Text(f"  {finding}", style="red"))
        counts = sorted(report.counts.items())
        self._display.note(
            Text(
                "  " + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts), style="dim"
            )
        )

    def _count(self) -> None:
        tally = self._tally()
        histories = {plan.table.name: plan.history for plan in self._wiring.plans}
        history = count_history(self._wiring.warehouse.console(), histories)
        found = differences(tally.changes, history)
        if found:
            self._fails("The CRM's own journal and history do not agree:")
            for difference in found:
                self._display.note(Text(f"  {difference}", style="red"))
        else:
            self._display.good("The CRM's own journal and history agree in every count:")
            self._display.block(answers.counts(tally, self._tables))

    def _end_loops(self) -> None:
        for name in LOOPS:
            child = self._children[name]
            child.check()
            began = time.monotonic()
            child.ask_to_end()
            code = child.wait()
            if code == 0:
                seconds = time.monotonic() - began
                self._display.good(f"{name} ended after SIGTERM with exit code 0, in {seconds:.1f} s.")
            else:
                took = "did not end" if code == -signal.SIGKILL else f"ended with exit code {code}"
                self._fails(f"{name} {took} after SIGTERM; read {child.output}.")

    def _check_nothing_is_left(self) -> None:
        left = [name for name, child in self._children.items() if child.is_running]
        left += [name for name in LOOPS if held_by(self._wiring.site.run, name) is not None]
        left += ["Postgres"] if is_running(self._postgres) else []
        if left:
            self._fails(f"Something still runs: {_listed(left)}.")
        else:
            self._display.good("No process is left: capture, sink, the CRM and Postgres have ended.")

    def _ask(self, day: Day) -> None:
        self._display.chapter("What the history can be asked")
        self._display.note(f"The life of lead {LEAD}, without its timestamps:")
        life, while_dead = answers.life(self._pipeline, day.dead)
        self._display.block(life)
        self._display.note(
            Text(
                f"{while_dead} of these changes happened while capture or the sink was dead. A sixth, to the status "
                "lost, was rolled back: history never heard of it.",
                style="dim",
            )
        )
        self._display.space()
        self._display.note("Where the leads stood when the first process was killed, and now:")
        self._display.block(answers.statuses(self._pipeline, day.dead[0][0]))
        self._display.space()
        self._display.note(answers.new_columns(self._pipeline))

    def _say_what_next(self) -> None:
        self._display.chapter("What to type next")
        name, steno = self._pipeline.name, _command()
        question = '"SELECT status, count(*) FROM lead_current GROUP BY ALL"'
        self._display.command(f"{steno} sql -p {name} {question}")
        self._display.command(f"{steno} history lead {LEAD} -p {name}")
        self._display.command(f"{steno} verify -p {name}")
        self._display.space()

    def _fails(self, text: str) -> None:
        self.failed = True
        self._display.bad(text)

    def _tally(self) -> Tally:
        return JournalReader(self._journal).read()

    def _end_quietly(self) -> None:
        end_all(list(self._children.values()))

    def _child(self, name: str) -> Child:
        if name == CRM:
            arguments = [
                "stenograph.demo.workload",
                str(self._postgres),
                str(self._journal),
                str(LENGTH.seconds),
            ]
        else:
            arguments = ["stenograph.cli", name, "--pipeline", str(self._pipeline.file), "--with-parent"]
        return Child(
            name,
            [sys.executable, "-m", *arguments],
            self._wiring.site.folder,
            self._state / f"{name.lower()}.output",
        )


def _count(connection: psycopg.Connection[tuple[int, ...]], table: str) -> int:
    statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(", ".join(names).rsplit(", ", 1))


def _command() -> str:
    beside = Path(sys.executable).with_name("steno")
    on_path = shutil.which("steno")
    return "steno" if on_path is not None and Path(on_path) == beside else _shown(beside)


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
