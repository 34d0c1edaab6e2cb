-- The tables of an embedded change log; a log file is made with all of them or not at all.

-- The file's own identity, which readers see as every topic's generation.
CREATE TABLE log (id TEXT NOT NULL) STRICT;

CREATE TABLE topics (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    partitions INTEGER NOT NULL
) STRICT;

-- Lane names repeat in every record, so records hold a number.
CREATE TABLE lanes (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE records (
    topic_id INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    key BLOB,
    value BLOB,
    lane INTEGER,
    ord BLOB,
    headers BLOB NOT NULL,
    PRIMARY KEY (topic_id, partition, offset)
) STRICT, WITHOUT ROWID;

-- What each partition holds, so that offsets never go back when its records are gone.
CREATE TABLE ends (
    topic_id INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    first INTEGER NOT NULL,
    next INTEGER NOT NULL,
    PRIMARY KEY (topic_id, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE positions (
    source TEXT NOT NULL PRIMARY KEY,
    ord BLOB NOT NULL,
    resume BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What each group of sinks has committed: retention's lower bound, never a place to recover from.
CREATE TABLE reports (
    "group" TEXT NOT NULL,
    topic_id INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    PRIMARY KEY ("group", topic_id, partition)
) STRICT, WITHOUT ROWID;
