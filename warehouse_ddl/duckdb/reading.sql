-- What verify, status and the timeline ask.

-- name: spans
SELECT history_table, topic, log_partition, log_generation, start, stop,
    read, stored, duplicate, filtered, quarantined, digest, recorded_at
FROM _steno_spans
ORDER BY topic, log_partition, log_generation, start, stop;

-- name: rows
SELECT {columns}
FROM {table}
WHERE _steno_topic = ? AND _steno_log_partition = ? AND _steno_log_generation = ?
    AND _steno_log_offset >= ? AND _steno_log_offset < ?
ORDER BY _steno_log_offset;

-- name: newest
SELECT {columns} FROM ({newest});

-- name: quarantine
SELECT history_table, topic, log_partition, log_generation, log_offset, key, error, reason, state
FROM _steno_quarantine
ORDER BY topic, log_partition, log_offset;

-- name: gaps
SELECT source, table_name, after, before, cause, repaired_by, recorded_at
FROM _steno_gaps
ORDER BY recorded_at, topic, log_partition, log_offset;
