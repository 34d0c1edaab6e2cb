"""History tables as the catalogue and the bookkeeping describe them, and how they come to be.

Opens no transaction: the caller decides what moves together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb

from stenograph.envelope.casts import is_cast_up, lossless
from stenograph.errors import SchemaConflict, WarehouseRefused
from stenograph.history import OWN_COLUMNS, RECORDED_AT
from stenograph.ports import Planned
from stenograph.schemas import (
    Column,
    Memory,
    SchemaChange,
    TableShape,
    fingerprint,
    shape_of_text,
    shape_text,
)
from stenograph.warehouses.duckdb.column_types import (
    as_number_text,
    column_type_of,
    holds_number_text,
    sql_type,
)
from stenograph.warehouses.duckdb.lifts import lifts_of, lifts_text
from stenograph.warehouses.duckdb.statements import quoted, run, statement
from stenograph.warehouses.duckdb.views import statements_for

_OURS = {column.name: sql_type(column.type) for column in (*OWN_COLUMNS, RECORDED_AT)}


def shape_of(connection: duckdb.DuckDBPyConnection, table: str) -> TableShape | None:
    """The history table's shape, with what is remembered of its columns; None if there is none of that name.

    A column that somebody added by hand belongs to the shape, if history could have made its type.
    """
    recorded = run(connection, statement("tables", "recorded"), [table])
    present = _columns(connection, table)
    if not recorded or not present:
        return None
    key, numbers = (_texts(names) for names in recorded[0][:2])
    lifts = lifts_of(recorded[0][2])
    shapes = run(connection, statement("tables", "shapes"), [table])
    memory = Memory.of(shape_of_text(str(text)) for (text,) in shapes)
    columns = []
    for name, words in present.items():
        column_type = None if name in _OURS else column_type_of(words)
        if column_type is not None:
            of = as_number_text(column_type) if name in numbers else column_type
            columns.append(memory.column(name, of, lifts.get(name)))
    held_keys = (each for each in memory.keys if each != tuple(key))
    return TableShape(tuple(columns), tuple(key), tuple(held_keys))


def shapes_of(connection: duckdb.DuckDBPyConnection) -> Mapping[str, TableShape]:
    """Every history table with its shape."""
    names = [str(name) for (name,) in run(connection, statement("tables", "all_recorded"))]
    shapes = {name: shape_of(connection, name) for name in names}
    return {name: shape for name, shape in shapes.items() if shape is not None}


def make(connection: duckdb.DuckDBPyConnection, change: SchemaChange) -> None:
    """Make the table, its columns and its views, and record them; what is there, or wider, is kept.

    Raise SchemaConflict for a column of another type, WarehouseRefused for a table that is not ours, `duckdb.Error`.
    """
    wanted = _wanted(change)
    for sql in _table_statements(connection, change, wanted):
        run(connection, sql)
    _record(connection, change, wanted)
    shape = shape_of(connection, change.table)
    if shape is not None:
        for sql in statements_for(change.table, shape, change.tracked):
            run(connection, sql)


def planned(connection: duckdb.DuckDBPyConnection | None, change: SchemaChange) -> Planned:
    """What `make` would run: all of it where there is no history yet (None), nothing where nothing would change."""
    wanted = _wanted(change)
    if connection is None:
        every = duckdb.extract_statements(statement("bookkeeping", "create"))
        return Planned(
            tuple(each.query.strip() for each in every),
            (_create(change.table, wanted.values()),),
            tuple(statements_for(change.table, change.shape, change.tracked)),
        )
    known = shape_of(connection, change.table)
    table = tuple(_table_statements(connection, change, wanted))
    if known is not None and not table and change.shape.key == known.key:
        return Planned()
    views = statements_for(change.table, _shape_after(known, change), change.tracked)
    return Planned(table=table, views=tuple(views))


def _shape_after(known: TableShape | None, change: SchemaChange) -> TableShape:
    if known is None:
        return change.shape
    wider = {column.name: column for column in change.widens}
    there = (wider.get(column.name, column) for column in known.columns)
    new = (column for column in (*change.shape.columns, *change.adds) if known.column(column.name) is None)
    return TableShape((*there, *dict.fromkeys(new)), change.shape.key)


def _table_statements(
    connection: duckdb.DuckDBPyConnection, change: SchemaChange, wanted: Mapping[str, Column]
) -> list[str]:
    present = _present(connection, change.table)
    if not present:
        return [_create(change.table, wanted.values())]
    found, table = [], quoted(change.table)
    widened = {_folded(column.name) for column in change.widens}
    for folded, column in wanted.items():
        if folded not in present:
            definition = f"{quoted(column.name)} {sql_type(column.type)}"
            found.append(statement("tables", "add_column", table=table, column=definition))
            continue
        name, words = present[folded]
        if (name, words) == (column.name, sql_type(column.type)):
            continue
        there = column_type_of(words)
        if name != column.name or there is None:
            raise _other_type(change.table, column, name, words)
        if is_cast_up(column.type, Column(name, there)):
            # Another writer was faster, and has made it wider still.
            continue
        if folded not in widened or lossless(there, column.type) is None:
            raise _other_type(change.table, column, name, words)
        found.append(
            statement("tables", "widen", table=table, column=quoted(name), type=sql_type(column.type))
        )
    return found


def _create(table: str, columns: Iterable[Column]) -> str:
    items = [(column.name, sql_type(column.type)) for column in columns]
    definitions = ",\n    ".join(f"{quoted(name)} {words}" for name, words in (*items, *_OURS.items()))
    return statement("tables", "create", table=quoted(table), columns=f"\n    {definitions}\n")


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    rows = run(connection, statement("tables", "columns"), [table])
    return {str(name): str(words) for name, words in rows}


def _present(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, tuple[str, str]]:
    """The table's columns by folded name: name and type; empty if the table is still to be made."""
    names = [str(name) for (name,) in run(connection, statement("tables", "names_like"), [table])]
    if not names:
        return {}
    if names != [table] or not run(connection, statement("tables", "recorded"), [table]):
        raise WarehouseRefused(
            "The history file has a table or view of that name which Stenograph did not make.",
            hint="Rename it, or give the history table another name in the pipeline.",
            table=table,
            found=", ".join(names),
        )
    return {_folded(name): (name, words) for name, words in _columns(connection, table).items()}


def _wanted(change: SchemaChange) -> dict[str, Column]:
    """The source columns by folded name: DuckDB takes `Id` and `id` for one."""
    wanted: dict[str, Column] = {}
    for column in (*change.shape.columns, *change.adds):
        folded = _folded(column.name)
        if folded in _OURS:
            raise SchemaConflict(
                "A source column has the name of one of Stenograph's own.",
                hint="Rename the column in the model.",
                table=change.table,
                column=column.name,
            )
        earlier = wanted.setdefault(folded, column)
        if earlier.name != column.name:
            raise SchemaConflict(
                "Two columns differ only in upper and lower case, which DuckDB takes for one.",
                hint="Rename one of them in the model.",
                table=change.table,
                column=column.name,
                other=earlier.name,
            )
        if sql_type(earlier.type) != sql_type(column.type):
            raise _other_type(change.table, column, earlier.name, sql_type(earlier.type))
    return wanted


def _other_type(table: str, column: Column, name: str, words: str) -> SchemaConflict:
    return SchemaConflict(
        "A history column exists with another type or spelling.",
        hint="Map the column to a new name in the model; the old one keeps what it has.",
        table=table,
        column=column.name,
        stored=f"{name} {words}",
        wanted=f"{column.name} {sql_type(column.type)}",
    )


def _record(
    connection: duckdb.DuckDBPyConnection, change: SchemaChange, wanted: Mapping[str, Column]
) -> None:
    recorded = run(connection, statement("tables", "recorded"), [change.table])
    before = _texts(recorded[0][1]) if recorded else []
    lifts = lifts_of(recorded[0][2]) if recorded else {}
    said = {column.name for column in wanted.values()}
    numbers = [column.name for column in wanted.values() if holds_number_text(column.type)]
    numbers += [name for name in before if name not in said]
    lifts |= {
        column.name: column.lift for column in (*change.adds, *change.widens) if column.lift is not None
    }
    parameters = [change.table, list(change.shape.key), list(change.tracked), numbers, lifts_text(lifts)]
    run(connection, statement("tables", "record_table"), parameters)
    canonical = shape_text(TableShape(tuple(wanted.values()), change.shape.key))
    run(
        connection,
        statement("tables", "record_shape"),
        [change.table, fingerprint(canonical), canonical],
    )


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _folded(name: str) -> str:
    """The name as DuckDB compares it: only ASCII letters lose their case."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)
