-- The tables that say what history holds and how far it reaches; one set per file, made with the file.

-- name: version
SELECT max(version) FROM _steno_meta;

-- name: tables
SELECT table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary AND database_name = current_database();

-- name: create
CREATE TABLE _steno_meta (
    version INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL
);

-- The fence counts claims: only the newest claim's writer can move next_offset. DuckDB finds two transactions in
-- conflict only where both give the same column a new value, so a claim and a move both raise change_count.
CREATE TABLE _steno_ledger (
    topic VARCHAR NOT NULL,
    log_partition INTEGER NOT NULL,
    next_offset BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    owner VARCHAR NOT NULL,
    log_generation VARCHAR NOT NULL,
    partition_count INTEGER NOT NULL,
    change_count BIGINT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (topic, log_partition)
);

-- Orders are hex text of one width, so that they sort as the source's own order.
CREATE TABLE _steno_lanes (
    topic VARCHAR NOT NULL,
    log_partition INTEGER NOT NULL,
    lane VARCHAR NOT NULL,
    high_water VARCHAR NOT NULL,
    committed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (topic, log_partition, lane)
);

-- Invariant 9: every record read is stored, a duplicate, filtered or quarantined.
CREATE TABLE _steno_spans (
    history_table VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    log_partition INTEGER NOT NULL,
    log_generation VARCHAR NOT NULL,
    start BIGINT NOT NULL,
    stop BIGINT NOT NULL,
    read BIGINT NOT NULL,
    stored BIGINT NOT NULL,
    duplicate BIGINT NOT NULL,
    filtered BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    digest VARCHAR NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CHECK (read = stored + duplicate + filtered + quarantined)
);

CREATE TABLE _steno_quarantine (
    history_table VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    log_partition INTEGER NOT NULL,
    log_generation VARCHAR NOT NULL,
    log_offset BIGINT NOT NULL,
    log_timestamp BIGINT NOT NULL,
    key BLOB,
    value BLOB,
    headers BLOB NOT NULL,
    lane VARCHAR,
    source_order VARCHAR,
    error VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL
);

CREATE TABLE _steno_gaps (
    source VARCHAR NOT NULL,
    table_name VARCHAR,
    after VARCHAR NOT NULL,
    before VARCHAR NOT NULL,
    cause VARCHAR NOT NULL,
    repaired_by BIGINT,
    topic VARCHAR NOT NULL,
    log_partition INTEGER NOT NULL,
    log_offset BIGINT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL
);

CREATE TABLE _steno_schemas (
    history_table VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    shape JSON NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (history_table, fingerprint)
);

-- What the catalogue cannot say of a history table; number_columns are the VARCHARs that hold exact numbers, lifts say
-- how the views read a column in rows that were stored before it.
CREATE TABLE _steno_tables (
    history_table VARCHAR NOT NULL PRIMARY KEY,
    key_columns VARCHAR[] NOT NULL,
    tracked_columns VARCHAR[] NOT NULL,
    number_columns VARCHAR[] NOT NULL,
    lifts JSON NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL
);

-- name: sign
INSERT INTO _steno_meta VALUES (?, now());
