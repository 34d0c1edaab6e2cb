-- History tables: how they are made and widened, and what is recorded of their shape.

-- name: create
CREATE TABLE IF NOT EXISTS {table} ({columns});

-- name: add_column
ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column};

-- The cast loses nothing, or the change would not have been made: see docs/operators/configuration.md.
-- name: widen
ALTER TABLE {table} ALTER COLUMN {column} SET DATA TYPE {type};

-- name: columns
SELECT column_name, data_type
FROM duckdb_columns()
WHERE table_name = ? AND schema_name = 'main' AND database_name = current_database() AND NOT internal
ORDER BY column_index;

-- name: names_like
SELECT table_name FROM duckdb_tables()
WHERE lower(table_name) = lower($1) AND schema_name = 'main' AND database_name = current_database()
UNION ALL
SELECT view_name FROM duckdb_views()
WHERE lower(view_name) = lower($1) AND schema_name = 'main' AND database_name = current_database();

-- name: recorded
SELECT key_columns, number_columns, lifts::VARCHAR FROM _steno_tables WHERE history_table = ?;

-- name: shapes
SELECT shape::VARCHAR FROM _steno_schemas WHERE history_table = ? ORDER BY applied_at;

-- name: all_recorded
SELECT history_table FROM _steno_tables ORDER BY history_table;

-- name: record_table
INSERT INTO _steno_tables VALUES (?, ?::VARCHAR[], ?::VARCHAR[], ?::VARCHAR[], ?::JSON, now())
ON CONFLICT DO UPDATE SET
    key_columns = excluded.key_columns,
    tracked_columns = excluded.tracked_columns,
    number_columns = excluded.number_columns,
    lifts = excluded.lifts,
    recorded_at = excluded.recorded_at;

-- name: record_shape
INSERT INTO _steno_schemas VALUES (?, ?, ?, now()) ON CONFLICT DO NOTHING;
