"""History tables as the catalogue and the bookkeeping describe them, and how they come to be.

Opens no transaction: the caller decides what moves together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import duckdb

from stenograph.errors import SchemaConflict, WarehouseRefused
from stenograph.history import OWN_COLUMNS, RECORDED_AT
from stenograph.schemas import Column, SchemaChange, TableShape, fingerprint
from stenograph.warehouses.duckdb.column_types import (
    as_number_text,
    column_type_of,
    holds_number_text,
    sql_type,
)
from stenograph.warehouses.duckdb.statements import quoted, run, statement
from stenograph.warehouses.duckdb.views import statements_for

_OURS = {column.name: sql_type(column.type) for column in (*OWN_COLUMNS, RECORDED_AT)}


def shape_of(connection: duckdb.DuckDBPyConnection, table: str) -> TableShape | None:
    """The source's columns and key of a history table; None if there is none of that name.

    A column that somebody added by hand belongs to the shape, if history could have made its type.
    """
    recorded = run(connection, statement("tables", "recorded"), [table])
    present = _columns(connection, table)
    if not recorded or not present:
        return None
    key, numbers = (_texts(names) for names in recorded[0])
    columns = []
    for name, words in present.items():
        column_type = None if name in _OURS else column_type_of(words)
        if column_type is not None:
            columns.append(Column(name, as_number_text(column_type) if name in numbers else column_type))
    return TableShape(tuple(columns), tuple(key))


def shapes_of(connection: duckdb.DuckDBPyConnection) -> Mapping[str, TableShape]:
    """Every history table with its shape."""
    names = [str(name) for (name,) in run(connection, statement("tables", "all_recorded"))]
    shapes = {name: shape_of(connection, name) for name in names}
    return {name: shape for name, shape in shapes.items() if shape is not None}


def make(connection: duckdb.DuckDBPyConnection, change: SchemaChange) -> None:
    """Make the table, its columns and its views, and record them; what is there is kept.

    Raise SchemaConflict for a column of another type, WarehouseRefused for a table that is not ours, `duckdb.Error`.
    """
    wanted = _wanted(change)
    present = _present(connection, change.table)
    table = quoted(change.table)
    if not present:
        items = [(column.name, sql_type(column.type)) for column in wanted.values()]
        definitions = ", ".join(f"{quoted(name)} {words}" for name, words in (*items, *_OURS.items()))
        run(connection, statement("tables", "create", table=table, columns=definitions))
    else:
        for folded, column in wanted.items():
            if folded in present:
                _must_agree(change.table, column, *present[folded])
            else:
                definition = f"{quoted(column.name)} {sql_type(column.type)}"
                run(connection, statement("tables", "add_column", table=table, column=definition))
    _record(connection, change, tuple(wanted.values()))
    shape = shape_of(connection, change.table)
    if shape is not None:
        for sql in statements_for(change.table, shape, change.tracked):
            run(connection, sql)


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
        _must_agree(change.table, column, earlier.name, sql_type(earlier.type))
    return wanted


def _must_agree(table: str, column: Column, name: str, words: str) -> None:
    if column.name == name and sql_type(column.type) == words:
        return
    raise SchemaConflict(
        "A history column exists with another type or spelling.",
        hint="Map the column to a new name in the model; the old one keeps what it has.",
        table=table,
        column=column.name,
        stored=f"{name} {words}",
        wanted=f"{column.name} {sql_type(column.type)}",
    )


def _record(connection: duckdb.DuckDBPyConnection, change: SchemaChange, wanted: tuple[Column, ...]) -> None:
    recorded = run(connection, statement("tables", "recorded"), [change.table])
    before = _texts(recorded[0][1]) if recorded else []
    said = {column.name for column in wanted}
    numbers = [column.name for column in wanted if holds_number_text(column.type)]
    numbers += [name for name in before if name not in said]
    parameters = [change.table, list(change.shape.key), list(change.tracked), numbers]
    run(connection, statement("tables", "record_table"), parameters)
    described = {
        "columns": [[column.name, str(column.type)] for column in wanted],
        "key": list(change.shape.key),
    }
    canonical = json.dumps(described, ensure_ascii=False, separators=(",", ":"))
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
