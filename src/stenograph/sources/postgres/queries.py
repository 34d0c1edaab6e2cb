"""The queries to Postgres's catalogue. Each names its objects in full, because the search path is fixed."""

from __future__ import annotations

SERVER = """
SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), current_setting('wal_level'),
       current_user::text, r.rolreplication OR r.rolsuper, current_database()::text,
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
SELECT a.attname::text, a.atttypid::bigint, a.atttypmod, a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute AS a
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
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
           WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem
           ELSE 0
       END::bigint,
       t.typtypmod, coalesce(e.typdelim, t.typdelim)::text,
       ARRAY(SELECT l.enumlabel::text FROM pg_enum AS l WHERE l.enumtypid = t.oid ORDER BY l.enumsortorder)
FROM pg_type AS t
JOIN pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg_type AS e ON e.oid = t.typelem AND t.typcategory = 'A'
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
