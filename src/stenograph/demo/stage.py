"""Makes room for the demo and leaves nothing behind: the folder, the lock, the signals.

Touches only the pipeline's own folder under `.steno`, and refuses a pipeline whose Postgres is elsewhere.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from stenograph.assembly import Wiring, load_pipeline
from stenograph.demo.display import Display
from stenograph.demo.story import Story
from stenograph.errors import ConfigurationError, PipelineBusy
from stenograph.pipeline import Pipeline
from stenograph.sources.postgres.server import stop
from stenograph.sources.postgres.settings import PostgresSettings
from stenograph.supervisor import RunFile, held_by

_EMBEDDED = "embedded:"
_INTERRUPTED = 130


def run(folder: Path, pipeline: Path, console: Console) -> int:
    """Tell the story; 0 only if everything held, 1 if something did not, 130 after Ctrl-C or SIGTERM.

    Removes what an earlier demo left in the pipeline's own folder. Whatever happens, no process is left.
    Raise ConfigurationError for a pipeline that is not the demo's, PipelineBusy while another demo or the pipeline
    itself runs.
    """
    loaded = load_pipeline(str(pipeline), folder)
    wiring = Wiring.of(loaded)
    postgres = _postgres_folder(loaded, wiring)
    display = Display(console)
    lock = RunFile(wiring.site.state.parent / "lock", f"{loaded.name}-demo")
    try:
        with _interrupted_by_sigterm():
            _remove_earlier(wiring, postgres)
            story = Story(wiring, postgres, display)
            story.tell()
    except KeyboardInterrupt:
        display.note("Interrupted. No process is left.")
        return _INTERRUPTED
    finally:
        lock.close()
    return 1 if story.failed else 0


def _postgres_folder(pipeline: Pipeline, wiring: Wiring) -> Path:
    state = wiring.site.state.resolve()
    match pipeline.source:
        case PostgresSettings(dsn=dsn) if dsn.startswith(_EMBEDDED):
            postgres = wiring.site.folder / dsn.removeprefix(_EMBEDDED)
            if postgres.parent.resolve() == state:
                return postgres
    raise ConfigurationError(
        "The demo runs only on a Postgres of its own, because it removes what an earlier demo left there.",
        hint=f"Let the pipeline say `dsn: embedded:.steno/{pipeline.name}/postgres`.",
        pipeline=pipeline.file,
    )


def _remove_earlier(wiring: Wiring, postgres: Path) -> None:
    for loop in ("capture", "sink"):
        pid = held_by(wiring.site.run, loop)
        if pid is not None:
            raise PipelineBusy(
                f"The {loop} loop of this pipeline runs, and the demo begins with an empty folder.",
                hint=f"Stop process {pid}, then start the demo again.",
                pid=pid,
            )
    if wiring.site.state.exists():
        stop(postgres)
        shutil.rmtree(wiring.site.state)


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
