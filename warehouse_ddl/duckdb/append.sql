-- What one append stores before it moves the ledger; all of it runs in one transaction, whose time is recorded_at.

-- name: rows
INSERT INTO {table} BY NAME SELECT *, now() AS _steno_recorded_at FROM _steno_rows;

-- name: lanes
INSERT INTO _steno_lanes BY NAME SELECT * FROM _steno_marks
ON CONFLICT DO UPDATE SET high_water = excluded.high_water, committed_at = excluded.committed_at;

-- name: spans
INSERT INTO _steno_spans BY NAME SELECT * EXCLUDE (fence), now() AS recorded_at FROM _steno_moved;

-- name: quarantine
INSERT INTO _steno_quarantine BY NAME SELECT *, 'open' AS state, now() AS recorded_at FROM _steno_set_aside;

-- name: gaps
INSERT INTO _steno_gaps BY NAME SELECT *, now() AS recorded_at FROM _steno_missing;
