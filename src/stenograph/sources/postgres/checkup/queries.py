"""The queries of a checkup. They run on every version from 14 on, and with no more rights than capture has."""

from __future__ import annotations

CAPACITY = """
SELECT current_setting('max_replication_slots')::int, (SELECT count(*) FROM pg_replication_slots),
       current_setting('max_wal_senders')::int, (SELECT count(*) FROM pg_stat_replication),
       (SELECT nullif(setting::bigint, -1) * 1048576 FROM pg_settings WHERE name = 'max_slot_wal_keep_size'),
       (SELECT setting::bigint FROM pg_settings WHERE name = 'idle_replication_slot_timeout' AND setting <> '0'),
       has_database_privilege(current_database(), 'CREATE')
"""

CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"

SLOT = """
SELECT s.wal_status, s.safe_wal_size, s.restart_lsn::text, to_jsonb(s) ->> 'invalidation_reason'
FROM pg_replication_slots AS s WHERE s.slot_name = %s
"""

RELATIONS = """
SELECT c.oid::bigint, c.relpersistence::text, pg_get_userbyid(c.relowner)::text, row_security_active(c.oid),
       ARRAY(
           SELECT a.attname::text FROM pg_attribute AS a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> ''
               AND NOT (a.attgenerated = 's' AND EXISTS (
                   SELECT FROM pg_publication AS p
                   WHERE p.pubname = %s AND to_jsonb(p) ->> 'pubgencols' = 's'
               ))
           ORDER BY a.attnum
       ),
       (
           SELECT l.pid FROM pg_locks AS l
           WHERE l.locktype = 'relation' AND l.relation = c.oid AND l.granted AND l.mode = 'AccessExclusiveLock'
               AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
           ORDER BY l.pid LIMIT 1
       )
FROM pg_class AS c
WHERE c.oid = ANY (%s::bigint[]::oid[])
"""

IDENTITIES = """
SELECT wanted.oid, n.nspname::text, c.relname::text, c.relreplident::text,
       EXISTS (
           SELECT FROM pg_index AS i
           WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate AND i.indisvalid
       ),
       EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid),
       EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisprimary)
FROM unnest(%s::bigint[]) AS wanted (oid)
CROSS JOIN LATERAL (
    SELECT p.relid, p.isleaf FROM pg_partition_tree(wanted.oid::oid::regclass) AS p
    UNION ALL
    SELECT wanted.oid::oid, true WHERE NOT EXISTS (SELECT FROM pg_partition_tree(wanted.oid::oid::regclass))
) AS member (relid, isleaf)
JOIN pg_class AS c ON c.oid = member.relid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE member.isleaf
ORDER BY n.nspname, c.relname
"""
"""An update is refused by the identity of the partition that it meets, not by the parent's."""

OLD_TRANSACTIONS = """
SELECT 'SELECT pg_terminate_backend(' || a.pid || ');',
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8
FROM pg_stat_activity AS a
WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_backend_pid()
UNION ALL
SELECT format('ROLLBACK PREPARED %%L;', p.gid), extract(epoch FROM clock_timestamp() - p.prepared)::float8
FROM pg_prepared_xacts AS p
ORDER BY 2 DESC
"""
