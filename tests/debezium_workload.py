"""The golden workload: its statements, and what real Debezium 3.6.3 on Postgres 17.10 wrote for each.

Reads files only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).with_name("golden") / "debezium-postgres"


@dataclass(frozen=True, slots=True)
class GoldenRecord:
    """One record; `value` is None for a tombstone. Headers are those that concern the change."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def statements(file: str) -> list[str]:
    """The statements of tables.sql or changes.sql."""
    return [part.strip() for part in (_FOLDER / file).read_text(encoding="utf-8").split("\n;;\n")]


@cache
def schemas() -> dict[int, str]:
    """Schema id to Avro schema, as JSON text without spaces."""
    raw: dict[str, Any] = json.loads((_FOLDER / "schemas.json").read_text(encoding="utf-8"))
    return {int(n): json.dumps(s, separators=(",", ":"), ensure_ascii=False) for n, s in raw.items()}


@cache
def records() -> tuple[GoldenRecord, ...]:
    """Every record of every table's topic, in the topic's order."""
    lines = (_FOLDER / "records.jsonl").read_text(encoding="utf-8").splitlines()
    found: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return tuple(
        GoldenRecord(
            raw["topic"],
            bytes.fromhex(raw["key"]),
            None if raw["value"] is None else bytes.fromhex(raw["value"]),
            tuple(
                (name, value.encode())
                for name, value in raw["headers"]
                if name in ("__debezium.newkey", "__debezium.oldkey")
            ),
        )
        for raw in found
        if raw["topic"] != "golden.transaction"
    )
