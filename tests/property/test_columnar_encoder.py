"""Whole columns encoded at once give what the reference gives, byte for byte, whatever rows stand among each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenograph.envelope.emitters import long_bytes, varint
from stenograph.packing import Packed
from stenograph.sources.postgres.batch import MAX_BATCH_BYTES, BatchUnderway
from stenograph.sources.postgres.columnar import numbers
from stenograph.sources.postgres.columnar.changes import Shape, TableChanges, shape_of
from stenograph.sources.postgres.columnar.lines import encoded_lines
from stenograph.sources.postgres.express import Express
from stenograph.sources.postgres.incoming import Incoming
from stenograph.sources.postgres.messages import Begin, NotSent
from stenograph.sources.postgres.open_table import TableEncoders
from stenograph.sources.postgres.source_block import SourceBlock, clock_bytes
from stenograph.sources.postgres.table import CapturedTable
from stenograph.sources.postgres.transaction import OpenTransaction
from tests.every_type import (
    COMMIT,
    COMMITTED,
    FAR,
    LSN,
    NOW,
    OTHERS,
    RUN,
    TABLES,
    by_express,
    by_reference,
    captured,
    frames,
    plain,
    read_event,
    rows,
    settled,
)
from tests.pgoutput_frames import copy_line, delete_frame, insert_frame, update_frame

AT_ONCE = 1
"""One change is enough to encode whole columns."""
ENCODERS: dict[int, TableEncoders] = {}


def encoders(table: CapturedTable) -> TableEncoders:
    """Made once; `captured` keeps the table alive, so its identity is its own."""
    return ENCODERS.setdefault(id(table), ENCODERS.get(id(table)) or TableEncoders(table, "crm", "sales"))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_run_gives_what_the_reference_gives(data: st.DataObject) -> None:
    tables = [data.draw(TABLES), data.draw(OTHERS)]
    sent = data.draw(st.lists(st.sampled_from(tables).flatmap(frames), min_size=1, max_size=5))
    begin = Begin(
        LSN + 100, data.draw(st.sampled_from([COMMITTED, FAR])), data.draw(st.integers(1, 2**32 - 1))
    )
    previous = data.draw(st.sampled_from([None, LSN - 1]))
    by_oid = {table.oid: table for table in tables}
    expected = BatchUnderway("crm", "lane", 100)
    transaction = OpenTransaction(begin, RUN, previous)
    for frame in sent:
        by_reference(frame, by_oid[int.from_bytes(frame[26:30], "big")], transaction, expected)

    given_by = by_express(sent, tables, OpenTransaction(begin, RUN, previous), AT_ONCE)

    assert settled(given_by.finished(None)) == settled(expected.finished(None))
    assert given_by.size == expected.size


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_lines_of_copy_give_what_the_reference_gives(data: st.DataObject) -> None:
    table = data.draw(TABLES)
    read = data.draw(st.lists(rows(table), min_size=1, max_size=4))
    committed = data.draw(st.sampled_from([COMMITTED, FAR]))
    tail = SourceBlock(table, "crm", "sales").outside(committed, "true", f'[null,"{LSN}"]', LSN)
    records = encoded_lines(
        encoders(table).columnar, [copy_line(values) for values in read], tail, clock_bytes(NOW)
    )
    events = [read_event(table, values, committed) for values in read[: len(records)]]
    assert list(Packed(records.keys)) == [table.encoder.key(event) for event in events]
    assert list(Packed(records.values)) == [table.encoder.value(event) for event in events]
    # Only what the reference alone can write ends a run.
    assert len(records) == len(read) or not is_plain(table, read[len(records.values)])


@pytest.mark.parametrize("identity", ["d", "f"])
def test_ordinary_changes_are_encoded_by_columns(identity: str) -> None:
    table = captured(identity, True, ("int8",), False)
    names = [column.name for column in table.form.wire.columns]
    row: list[bytes | NotSent] = [plain(name) for name in names]
    key: list[bytes | NotSent] = [plain(name) if name == "int8" else NotSent.NULL for name in names]
    unchanged: list[bytes | NotSent] = [
        NotSent.UNCHANGED if name == "text" else plain(name) for name in names
    ]
    nulls: list[bytes | NotSent] = [plain(name) if name == "int8" else NotSent.NULL for name in names]
    sent = [(Shape.NEW, insert_frame(LSN, table.oid, values)) for values in (row, nulls)]
    if identity == "f":
        sent.append((Shape.OLD, delete_frame(LSN, table.oid, row, b"O")))
        sent += [(Shape.BOTH, update_frame(LSN, table.oid, new, row)) for new in (row, unchanged, nulls)]
    else:
        sent.append((Shape.KEY, delete_frame(LSN, table.oid, key, b"K")))
        sent += [(Shape.NEW, update_frame(LSN, table.oid, new)) for new in (row, unchanged, nulls)]
    columnar = encoders(table).columnar
    for shape, frame in sent:
        assert shape_of(columnar, frame[25], frame[30]) is shape
        assert not TableChanges(columnar, shape, [frame], np.arange(1)).unusual.any(), shape


def test_what_neither_row_says_is_not_made_up() -> None:
    table = captured("f", True, ("int8",), False)
    names = [column.name for column in table.form.wire.columns]
    new: list[bytes | NotSent] = [NotSent.UNCHANGED if name == "text" else plain(name) for name in names]
    old: list[bytes | NotSent] = [NotSent.NULL if name == "text" else plain(name) for name in names]
    frame = update_frame(LSN, table.oid, new, old)
    begin = Begin(LSN, COMMITTED, 9)
    expected = BatchUnderway("crm", "lane", 100)
    by_reference(frame, table, OpenTransaction(begin, RUN, None), expected)
    given_by = by_express([frame], [table], OpenTransaction(begin, RUN, None), AT_ONCE)
    assert settled(given_by.finished(None)) == settled(expected.finished(None))


def is_plain(table: CapturedTable, values: list[bytes | NotSent]) -> bool:
    return all(v == plain(c.name) for c, v in zip(table.form.wire.columns, values, strict=True))


def test_a_run_as_long_as_they_come_crosses_the_borders_of_its_numbers() -> None:
    table = captured("d", True, ("int8",), False)
    names = [column.name for column in table.form.wire.columns]
    row: list[bytes | NotSent] = [plain(name) for name in names]
    sent = []
    for number in range(5_000):
        values = [str(number).encode() if name == "int8" else v for name, v in zip(names, row, strict=True)]
        # LSNs grow from nine digits to ten, and some changes share one.
        lsn = 999_990_000 + number // 3 * 10
        sent.append(
            insert_frame(lsn, table.oid, values) if number % 2 else update_frame(lsn, table.oid, values)
        )
    begin = Begin(LSN, COMMITTED, 9)
    expected = by_express(sent, [table], OpenTransaction(begin, RUN, None), 1 << 30, limit=10_000)
    given_by = by_express(sent, [table], OpenTransaction(begin, RUN, None), AT_ONCE, limit=10_000)
    assert settled(given_by.finished(None)) == settled(expected.finished(None))


def test_a_row_of_any_size_needs_no_reference() -> None:
    table = captured("d", True, ("int8",), False)
    names = [column.name for column in table.form.wire.columns]
    sizes = (1, 100_000, 5_000, 9_000_000, 1)
    texts = [b"x" * size for size in sizes]
    rows = [[text if name == "text" else plain(name) for name in names] for text in texts]
    waiting = [insert_frame(LSN, table.oid, row) for row in rows]
    transaction = OpenTransaction(Begin(LSN, COMMITTED, 9), RUN, None)
    express = Express("crm", "sales", AT_ONCE)
    express.open(table.oid.to_bytes(4, "big"), table, transaction)
    incoming = Incoming(lambda most: [waiting.pop(0) for _ in waiting[:most]] or [COMMIT], lambda _: None)
    values: list[bytes | None] = []
    left = None
    while left is None:
        batch = BatchUnderway("crm", "lane", 100)
        while not batch.is_full and left is None:
            frame = incoming.next()
            assert frame is not None
            left = express.take(frame, incoming, transaction, batch, float("inf"))
        values += batch.finished(None).values
        # A batch ends at the event that reaches its bound.
        assert batch.size < MAX_BATCH_BYTES + max(sizes)
    assert left is COMMIT
    assert [text in (value or b"") for text, value in zip(texts, values, strict=True)] == [True] * len(sizes)


@given(st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 2**15), min_size=1))
def test_varints_are_those_of_one_number_each(given_numbers: list[int]) -> None:
    words = np.array(given_numbers, np.uint64)
    sizes = numbers.varint_sizes(words)
    made = numbers.varints(words, sizes)
    assert [bytes(line[:size]) for line, size in zip(made, sizes, strict=True)] == [
        *map(varint, given_numbers)
    ]


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**15), 2**15), min_size=1))
def test_a_signed_number_takes_as_few_bytes_as_hold_it(given_numbers: list[int]) -> None:
    array = np.array(given_numbers, np.int64)
    made, sizes = numbers.big_endian(array), numbers.byte_sizes(array)
    assert [
        int.from_bytes(line[8 - size :], signed=True) for line, size in zip(made, sizes, strict=True)
    ] == given_numbers
    assert [((n if n >= 0 else ~n).bit_length() >> 3) + 1 for n in given_numbers] == sizes.tolist()
    unsigned = numbers.zigzag(array)
    varints, lengths = (
        numbers.varints(unsigned, numbers.varint_sizes(unsigned)),
        numbers.varint_sizes(unsigned),
    )
    assert [bytes(v[:n]) for v, n in zip(varints, lengths, strict=True)] == [*map(long_bytes, given_numbers)]


@given(st.lists(st.integers(0, 10**18 - 1), min_size=1))
def test_digits_are_read_from_where_they_end(given_numbers: list[int]) -> None:
    found, odd = read_digits([str(number).encode() for number in given_numbers])
    assert found == given_numbers
    assert not any(odd)


@pytest.mark.parametrize("text", [b"1:2", b"1/2", b"12\xff", b"1 2", b"a", b"123456789:1", b"-1"])
def test_what_is_no_digit_is_seen(text: bytes) -> None:
    assert read_digits([text, b"12"])[1] == [True, False]


def read_digits(texts: list[bytes]) -> tuple[list[int], list[bool]]:
    buffer = bytes(32) + b"".join(texts) + bytes(16)
    words = np.ndarray((len(buffer) - 8,), "<u8", buffer, 0, (1,))
    counts = np.array([*map(len, texts)])
    found, odd = numbers.from_digits(words, 32 + np.cumsum(counts), counts)
    return found.tolist(), odd.tolist()
