-- Claiming partitions, and moving the ledger by compare-and-set.

-- name: other_counts
SELECT DISTINCT ledger.topic, ledger.partition_count, claimed.partition_count
FROM _steno_ledger AS ledger
JOIN _steno_claimed AS claimed USING (topic)
WHERE ledger.partition_count <> claimed.partition_count
ORDER BY ledger.topic;

-- name: first_sight
INSERT INTO _steno_ledger
SELECT topic, log_partition, 0, 0, owner, log_generation, partition_count, 0, now()
FROM _steno_claimed
ON CONFLICT DO NOTHING;

-- name: claim
UPDATE _steno_ledger AS ledger
SET fence = ledger.fence + 1,
    owner = claimed.owner,
    next_offset = CASE WHEN ledger.log_generation = claimed.log_generation THEN ledger.next_offset ELSE 0 END,
    log_generation = claimed.log_generation,
    change_count = ledger.change_count + 1,
    recorded_at = now()
FROM _steno_claimed AS claimed
WHERE ledger.topic = claimed.topic AND ledger.log_partition = claimed.log_partition;

-- name: marks
SELECT ledger.topic, ledger.log_partition, ledger.next_offset, ledger.fence
FROM _steno_ledger AS ledger
JOIN _steno_claimed AS claimed USING (topic, log_partition);

-- name: lanes
SELECT lanes.topic, lanes.log_partition, lanes.lane, lanes.high_water, lanes.committed_at
FROM _steno_lanes AS lanes
JOIN _steno_claimed AS claimed USING (topic, log_partition);

-- name: move
UPDATE _steno_ledger AS ledger
SET next_offset = span.stop,
    change_count = ledger.change_count + 1,
    recorded_at = now()
FROM _steno_moved AS span
WHERE ledger.topic = span.topic
    AND ledger.log_partition = span.log_partition
    AND ledger.log_generation = span.log_generation
    AND ledger.next_offset = span.start
    AND ledger.fence = span.fence;

-- name: lost
SELECT count(*)
FROM _steno_moved AS span
LEFT JOIN _steno_ledger AS ledger USING (topic, log_partition)
WHERE ledger.fence IS DISTINCT FROM span.fence
    OR ledger.log_generation IS DISTINCT FROM span.log_generation
    OR ledger.next_offset NOT IN (span.start, span.stop);

-- name: entries
SELECT topic, log_partition, log_generation, next_offset, fence, owner, recorded_at
FROM _steno_ledger
ORDER BY topic, log_partition;
