"""Measures reading framed change events into Arrow columns, beside the reference and a native decoder of containers.

Writes lead events of twelve columns like those of `postgres_encode`, two inserts to each update. Prints a Markdown
table and one line of JSON: CPU time of this process, the best of the rounds. The native decoder is measured where
`polars-avro` can be imported (install it into a folder of its own and name that in PYTHONPATH).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import fastavro
import numpy as np
import pyarrow as pa

from stenograph.envelope.codec import EventEncoder
from stenograph.envelope.columnar import ColumnarEvents, ColumnarKeys
from stenograph.envelope.reading import EventReader, Writer
from stenograph.envelope.table import POSTGRES_SOURCE, WireColumn, WireTable
from stenograph.envelope.values import converter
from stenograph.events import ChangeEvent, Op, Origin, TableId
from stenograph.history import arrow_type
from stenograph.schemas import column_type, resolved

KEY_ID, VALUE_ID = 41, 42
COMMITTED = 1_718_000_000_123_456


def semantic(name: str) -> dict[str, object]:
    return {"type": "string", "connect.version": 1, "connect.name": f"io.debezium.{name}"}


AMOUNT = {"type": "bytes", "scale": 2, "precision": 12, "connect.version": 1, "logicalType": "decimal"}
ZONED = semantic("time.ZonedTimestamp")
LEAD = WireTable(
    "crm",
    TableId("public", "lead"),
    (
        WireColumn("id", "long", nullable=False),
        *(WireColumn(n, "string", nullable=True) for n in ("email", "first_name", "last_name", "company")),
        WireColumn("status", "string", nullable=False),
        *(WireColumn(name, "int", nullable=True) for name in ("score", "owner_id")),
        WireColumn("created_at", ZONED, nullable=False),
        WireColumn("updated_at", ZONED, nullable=True),
        WireColumn("attributes", semantic("data.Json"), nullable=True),
        WireColumn("amount", AMOUNT, nullable=True),
    ),
    ("id",),
)


def lead(number: int) -> dict[str, object]:
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=1.000037 * number)
    return {
        "id": number,
        "email": f"user{number}@example.com",
        "first_name": f"First{number % 3000}",
        "last_name": f"Last{number % 20000}",
        "company": f"Company {number % 40000}",
        "status": ("new", "working", "nurturing", "qualified")[number % 4],
        "score": number % 100,
        "owner_id": number % 200,
        "created_at": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "updated_at": f"{at + timedelta(days=152):%Y-%m-%dT%H:%M:%S}.000000Z",
        "attributes": f'{{"n": {number}, "source": "web"}}',
        "amount": Decimal(number % 1_000_000).scaleb(-2),
    }


def event(number: int) -> ChangeEvent:
    row = lead(number)
    is_update = number % 3 == 0
    origin = Origin(
        "postgresql",
        "crm",
        "app",
        LEAD.table,
        COMMITTED + number * 17,
        sequence=f'["{25_000_000_000 + number * 300}","{25_000_000_064 + number * 300}"]',
        transaction_id=700_000 + number // 1000,
        lsn=25_000_000_064 + number * 300,
    )
    op = Op.UPDATE if is_update else Op.CREATE
    return ChangeEvent(op, origin, {"id": number}, None, row, (COMMITTED + 5_000) * 1000 + number * 1_700)


def measured(way: Callable[[], object], records: int, rounds: int) -> float:
    """The fewest µs of CPU for each record."""
    spent = []
    for _ in range(rounds):
        begun = time.process_time()
        way()
        spent.append(time.process_time() - begun)
    return min(spent) / records * 1e6


class Native:
    """The events as one object container file, read by polars-avro: without the values' own conversions."""

    def __init__(self, schema: str, values: list[bytes]) -> None:
        import polars_avro  # type: ignore[import-not-found]  # noqa: PLC0415

        self._read = polars_avro.read_avro
        record: Any = json.loads(json.dumps(resolved(json.loads(schema))))
        # polars-avro does not look up a name that was defined before.
        record["fields"][1]["type"][1]["name"] = "After"
        out = io.BytesIO()
        fastavro.writer(out, fastavro.parse_schema(record), [])
        self._head, self._sync = out.getvalue(), out.getvalue()[-16:]
        self._values = values

    def container(self) -> bytes:
        data = b"".join([value[5:] for value in self._values])
        block = io.BytesIO()
        for number in (len(self._values), len(data)):
            fastavro.schemaless_writer(block, "long", number)
        return b"".join((self._head, block.getvalue(), data, self._sync))

    def __call__(self) -> object:
        return self._read([io.BytesIO(self.container())]).to_arrow()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    encoder = EventEncoder(LEAD, KEY_ID, VALUE_ID)
    schema, key_schema = LEAD.value_schema(POSTGRES_SOURCE), LEAD.key_schema() or ""
    events = [event(number) for number in range(1, options.records + 1)]
    values = [encoder.value(each) for each in events]
    packed = pa.array(values, pa.large_binary())
    keys = pa.array([encoder.key(each) for each in events], pa.large_binary())
    columnar, reference = ColumnarEvents(schema, VALUE_ID), EventReader(schema)
    key_reader = ColumnarKeys(key_schema, KEY_ID)
    converters = {column.name: converter(column.avro) for column in reference.columns}
    types = {column.name: arrow_type(column_type(column.avro)) for column in reference.columns}
    few = values[: max(1, options.records // 10)]

    def decoded() -> object:
        return [reference.decode(value) for value in few]

    def converted() -> object:
        rows: list[Any] = [reference.read(value, None, (), Writer.OURS).after for value in few]
        return [
            pa.array([None if r[n] is None else c(r[n]) for r in rows], types[n])
            for n, c in converters.items()
        ]

    found = columnar.read(packed)
    assert found.sound.all()
    assert not found.after.unstorable.any()
    cost: dict[str, float] = {
        "columnar: envelopes to columns": measured(
            lambda: columnar.read(packed), len(values), options.rounds
        ),
        "columnar: keys to columns": measured(lambda: key_reader.read(keys), len(values), options.rounds),
        "reference: fastavro to dictionaries": measured(decoded, len(few), options.rounds),
        "reference: to events, converted, to Arrow": measured(converted, len(few), options.rounds),
    }
    try:
        native = Native(schema, values)
    except ImportError:
        pass
    else:
        cost["polars-avro: one container, not converted"] = measured(native, len(values), options.rounds)
    first = cost["columnar: envelopes to columns"]
    print(f"{len(values)} records of {np.mean([len(v) for v in values]):.0f} bytes, numpy {np.__version__}\n")
    print("| way | µs of CPU a record | records/s | times the columnar reader |\n|---|---|---|---|")
    for name, spent in cost.items():
        print(f"| {name} | {spent:.2f} | {1e6 / spent:,.0f} | {spent / first:.1f} |")
    print("\n" + json.dumps({"us_per_record": {name: round(spent, 3) for name, spent in cost.items()}}))


if __name__ == "__main__":
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    main()
