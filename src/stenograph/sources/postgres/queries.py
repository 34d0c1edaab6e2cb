"""The queries to Postgres's catalogue. Each names its objects in full, because the search path is fixed."""

from __future__ import annotations

SERVER = """
SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), current_setting('wal_level'),
       current_user::text, r.rolreplication OR r.rolsuper, current_database()::text, current_setting('server_encoding'),
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END)::text
FROM pg_roles AS r WHERE r.rolname = current_user
"""

TABLES = """
SELECT n.nspname::text, c.relname::text, c.oid::bigint, ARRAY(
           SELECT a.attname::text
           FROM pg_index AS i
           CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
           JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
           WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts
           ORDER BY k.place
       ), c.relkind::text, c.relreplident::text,
       EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisprimary),
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
       pg_has_role(c.relowner, 'USAGE')
FROM unnest(%s::text[], %s::text[]) AS wanted (schema, name)
JOIN pg_namespace AS n ON n.nspname = wanted.schema
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = wanted.name
WHERE c.relkind NOT IN ('i', 'I', 't', 'c')
"""

SIGNATURES = """
SELECT n.nspname::text, c.relname::text, c.oid::bigint, ARRAY(
           SELECT a.attname::text
           FROM pg_index AS i
           CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
           JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
           WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts
           ORDER BY k.place
       )
FROM (SELECT DISTINCT schemaname, tablename FROM pg_publication_tables WHERE pubname = %s) AS p
JOIN unnest(%s::text[], %s::text[]) AS wanted (schema, name)
    ON p.schemaname = wanted.schema AND p.tablename = wanted.name
JOIN pg_namespace AS n ON n.nspname = wanted.schema
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = wanted.name
"""

TABLE_NAMES = """
SELECT format('%%s.%%s', n.nspname, c.relname)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY n.nspname <> %s, lower(c.relname) <> lower(%s), c.relname
LIMIT 200
"""

COLUMNS = """
SELECT a.attname::text, a.atttypid::bigint, a.atttypmod, a.attnotnull,
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END, a.attgenerated <> ''
FROM pg_attribute AS a
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""

PUBLISHED_TABLE = """
SELECT attnames::text[], rowfilter FROM pg_publication_tables
WHERE pubname = %s AND schemaname = %s AND tablename = %s
"""

IS_AS_IT_WAS = """
SELECT coalesce(bool_and(c.relfilenode IS NOT DISTINCT FROM pg_relation_filenode(c.oid)), true)
FROM pg_class AS c
WHERE c.relkind = 'r' AND (c.oid = %s OR c.oid IN (SELECT relid FROM pg_partition_tree(%s)))
"""
"""Compares what the transaction's snapshot says of the table's files with what is there now."""

TYPES = """
SELECT t.oid::bigint, t.typname::text, n.nspname::text, t.typtype::text,
       CASE
           WHEN t.typtype = 'd' THEN t.typbasetype
           WHEN t.typinput = 'pg_catalog.array_in'::regproc THEN t.typelem
           ELSE 0
       END::bigint,
       t.typtypmod, coalesce(e.typdelim, t.typdelim)::text,
       ARRAY(SELECT l.enumlabel::text FROM pg_enum AS l WHERE l.enumtypid = t.oid ORDER BY l.enumsortorder)
FROM pg_type AS t
JOIN pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg_type AS e ON e.oid = t.typelem AND t.typinput = 'pg_catalog.array_in'::regproc
WHERE t.oid = ANY (%s::bigint[]::oid[])
"""

PUBLICATION = """
SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate, pubviaroot, pg_has_role(pubowner, 'USAGE')
FROM pg_publication WHERE pubname = %s
"""

SLOT = """
SELECT plugin::text, database::text, active_pid, coalesce(wal_status = 'lost', false), confirmed_flush_lsn::text
FROM pg_replication_slots WHERE slot_name = %s
"""

LAYOUTS = """
SELECT n.nspname::text, c.relname::text, c.oid::bigint, c.relkind::text, c.relfilenode::bigint,
       coalesce(sent.row_filter, ''), coalesce(col.names, '{}'), coalesce(col.types, '{}'),
       coalesce(col.filled, '{}'), coalesce(col.versions, '{}')
FROM unnest(%s::text[], %s::text[]) AS wanted (schema, name)
JOIN pg_namespace AS n ON n.nspname = wanted.schema
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = wanted.name
LEFT JOIN LATERAL (
    SELECT to_jsonb(r) ->> 'prqual' AS row_filter, nullif(to_jsonb(r) -> 'prattrs', 'null') AS columns,
           to_jsonb(p) ->> 'pubgencols' = 's' AS is_computed
    FROM pg_publication AS p LEFT JOIN pg_publication_rel AS r ON r.prpubid = p.oid AND r.prrelid = c.oid
    WHERE p.pubname = %s
) AS sent ON true
CROSS JOIN LATERAL (
    SELECT array_agg(a.name ORDER BY a.attnum) AS names, array_agg(a.type ORDER BY a.attnum) AS types,
           array_agg(a.atthasmissing ORDER BY a.attnum) AS filled, array_agg(a.version ORDER BY a.attnum) AS versions
    FROM (
        SELECT a.attnum, a.attname::text AS name, a.atthasmissing, a.xmin::text::bigint AS version,
               CASE
                   WHEN a.attisdropped THEN 0
                   WHEN sent.columns IS NOT NULL
                       THEN CASE WHEN sent.columns @> to_jsonb(a.attnum) THEN a.atttypid ELSE 0 END
                   WHEN a.attgenerated = '' OR (a.attgenerated = 's' AND sent.is_computed) THEN a.atttypid
                   ELSE 0
               END::bigint AS type
        FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0
        ORDER BY a.attnum
    ) AS a
) AS col
WHERE c.relkind IN ('r', 'p')
"""
"""Takes no lock on any table. Columns of the publication's catalogues that older versions lack are null in the JSON."""

MEMBERS = """
WITH RECURSIVE member (root, oid) AS (
    SELECT wanted.oid, i.inhrelid FROM unnest(%s::bigint[]) AS wanted (oid)
    JOIN pg_inherits AS i ON i.inhparent = wanted.oid
    UNION ALL
    SELECT m.root, i.inhrelid FROM member AS m JOIN pg_inherits AS i ON i.inhparent = m.oid
)
SELECT m.root, m.oid::bigint, i.inhparent::bigint, c.relfilenode::bigint,
       EXISTS (
           SELECT FROM pg_type AS t JOIN pg_attribute AS a ON a.xmin = t.xmin AND a.cmin = t.cmin
           WHERE t.oid = c.reltype AND a.attrelid = c.oid AND a.attnum > 0
       ),
       c.reltuples < 0,
       ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = m.oid AND a.atthasmissing)
FROM member AS m
JOIN pg_class AS c ON c.oid = m.oid
JOIN pg_inherits AS i ON i.inhrelid = m.oid
ORDER BY m.oid
"""
"""ATTACH PARTITION rewrites the catalogue's row of every column. Where one is still from the command that made the
table and its row type, the table was created as a partition: empty."""

LABELS = """
SELECT e.enumtypid::bigint, t.typarray::bigint, array_agg(e.enumlabel::text ORDER BY e.oid)
FROM pg_enum AS e JOIN pg_type AS t ON t.oid = e.enumtypid
GROUP BY e.enumtypid, t.typarray
"""

HOLD_ROWS = "SELECT coalesce(bool_or(pg_relation_size(oid::oid::regclass) > 0), false) FROM unnest(%s::bigint[]) AS oid"
"""Waits for whoever holds one of the tables against all others."""

EXPECTED_ROWS = """
SELECT sum(c.reltuples)::bigint
FROM pg_class AS c
WHERE c.relkind = 'r' AND c.reltuples >= 0 AND (c.oid = %s OR c.oid IN (SELECT relid FROM pg_partition_tree(%s)))
"""
