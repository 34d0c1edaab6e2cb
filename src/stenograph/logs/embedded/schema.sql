-- The tables of an embedded change log; a log file is made with all of them or not at all.

-- The file's own identity, which readers see as every topic's generation.
CREATE TABLE log (id TEXT NOT NULL) STRICT;

CREATE TABLE topics (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    partitions INTEGER NOT NULL
) STRICT;

-- What one append gave to one partition, or a part of it: the records from first up to but not including next, with
-- their least and greatest timestamp. The payload is as segment.py describes it, and stands last, so that the other
-- columns are read without it.
CREATE TABLE segments (
    id INTEGER PRIMARY KEY,
    topic_id INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    first INTEGER NOT NULL,
    next INTEGER NOT NULL,
    oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX segments_by_place ON segments (topic_id, partition, first);

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
