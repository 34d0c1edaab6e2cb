"""A child that appends numbered batches to an embedded log and says which are durable, until it is killed."""

from __future__ import annotations

import sys
from pathlib import Path

from stenograph.logs.embedded.settings import EmbeddedLogSettings
from stenograph.logs.embedded.writer import EmbeddedLogWriter
from tests.log_samples import batch, position

BATCH_ROWS = 500
TOPICS = ("crm.public.lead", "crm.public.contact")


def main() -> None:
    writer = EmbeddedLogWriter(Path(sys.argv[1]), EmbeddedLogSettings(kind="embedded"))
    stored = writer.position("crm")
    number = 0 if stored is None else int(stored.resume)
    while True:
        upto = position(number + 1, str(number + 1).encode())
        writer.append(batch(TOPICS, number * BATCH_ROWS, BATCH_ROWS, timestamp=1, upto=upto))
        number += 1
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
