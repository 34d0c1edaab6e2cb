"""A sink in miniature, for tests that need one in a process of its own.

`python -m tests.history_writer KIND FOLDER COUNT` claims partition 0 and appends COUNT batches of two rows (0: until
stdin ends), then prints the offset it reached. It says `claimed` first.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tests.history_adapters import ADAPTERS
from tests.history_batches import assigned, batch, change, partition, stretch


def main(kind: str, folder: str, count: str) -> None:
    ended = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(ended,), daemon=True).start()
    warehouse = ADAPTERS[kind](Path(folder)).open_warehouse()
    warehouse.evolve(change())
    mark = warehouse.claim("writer", assigned(0))[partition()]
    sys.stdout.write("claimed\n")
    sys.stdout.flush()
    here = stretch(mark, 2)
    done = 0
    while done < int(count) if int(count) else not ended.is_set():
        warehouse.append(batch(here))
        here = type(here)(here.stop, here.stop + 2, here.fence)
        done += 1
    warehouse.close()
    sys.stdout.write(f"{here.start}\n")


def _wait_for_the_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main(*sys.argv[1:])
