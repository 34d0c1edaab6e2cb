"""The views over a history table, as statements for DuckDB.

Runs nothing and holds no SQL of its own: the templates under `warehouse_ddl/duckdb/views` say what each view
answers.
"""

from __future__ import annotations

import json
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stenograph.resources import bundled
from stenograph.schemas import TableShape
from stenograph.warehouses.duckdb.column_types import of_json, of_text

_SUFFIX = "_history"
_VERSION_COLUMNS = (
    "valid_from",
    "valid_to",
    "is_current",
    "change",
    "ended_by",
    "known_from",
    "changed_after",
)


def statements_for(table: str, shape: TableShape, tracked: tuple[str, ...]) -> list[str]:  # noqa: ARG001
    """Complete statements that create or replace the views over the history table `<model>_history`.

    `<model>_current` always; `<model>_versions` and the table macro `<model>_as_of(at)` only where there is a key.
    No view depends on `tracked` columns. Safe to repeat; run them again after a column was added, because a view
    keeps the columns it was made with.
    """
    views = ("current", "versions", "as_of") if shape.key else ("current",)
    return [_render(view, table, shape) for view in views]


def newest_statement(table: str, shape: TableShape) -> str:
    """A query for the rows that exist after every change below an order: the source's columns, in `shape`'s order.

    Its positional parameters are the source, whose orders alone can be compared, and the order as hex text, itself
    excluded.
    """
    return _render("newest", table, shape)


def _render(view: str, table: str, shape: TableShape) -> str:
    columns = [column.name for column in shape.columns]
    lowered = {name.lower() for name in columns}
    return (
        _templates()
        .get_template(f"{view}.sql")
        .render(
            table=table,
            view=f"{table.removesuffix(_SUFFIX)}_{view}",
            columns=columns,
            key=list(shape.key),
            others=[name for name in columns if name not in shape.key],
            sent_as={column.name: column.text_of or column.name for column in shape.columns},
            lifted=[column for column in shape.columns if column.lift is not None],
            renamed={
                column.lift.source: column.name
                for column in shape.columns
                if column.lift is not None and column.lift.source.lower() not in lowered
            },
            rowid_is_free="rowid" not in lowered,
            names={name: f"_steno_{name}" if name in lowered else name for name in _VERSION_COLUMNS},
        )
    )


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(bundled("warehouse_ddl") / "duckdb" / "views"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - SQL, not HTML; names are quoted by the filters below.
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["q"] = _identifier
    environment.filters["text"] = _literal
    environment.filters["path"] = _path
    environment.filters["of_json"] = of_json
    environment.filters["of_text"] = of_text
    return environment


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _path(name: str) -> str:
    """The place of a member of a JSON object, as an SQL text."""
    return _literal(f"$.{json.dumps(name, ensure_ascii=False)}")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
