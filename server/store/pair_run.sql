-- name: PAIR_SOURCE_ADD
-- mode: write
INSERT INTO pair_source (chunk_id, run_id, day_ms, rows, entity_low, entity_high, filter)
VALUES (last_insert_rowid(), NULL, $1, $2, $3, $4, $5);
-- postgres:
INSERT INTO pair_source (chunk_id, run_id, day_ms, rows, entity_low, entity_high, filter)
VALUES (currval('observation_chunk_id'), NULL, $1, $2, $3, $4, $5);

-- name: PAIR_SOURCE_DELETE
-- mode: write
DELETE FROM pair_source WHERE chunk_id = $1;

-- name: PAIR_SOURCES_DROP
-- mode: write
DELETE FROM pair_source WHERE day_ms < $1;

-- Few: those that are in no run yet.
-- name: PAIR_SOURCES
SELECT chunk_id AS id, day_ms FROM pair_source
 WHERE entity_low <= $1 AND entity_high >= $1 ORDER BY day_ms DESC LIMIT $2;

-- name: PAIR_SOURCES_ALL
SELECT chunk_id AS id, day_ms FROM pair_source ORDER BY day_ms DESC LIMIT $1;

-- name: PAIR_FILTER
SELECT filter FROM pair_source WHERE chunk_id = $1;

-- name: PAIR_RUNS
SELECT id, last_ms FROM pair_run WHERE state = 1 AND by_address = $1 ORDER BY last_ms DESC;

-- The chunk of a run that a pair is in, if it is in the run.
-- name: PAIR_CHUNK_AT
SELECT entity_low, ip_low, body FROM pair_chunk
 WHERE run_id = $1 AND (entity_low, ip_low) <= ($2, $3)
 ORDER BY entity_low DESC, ip_low DESC LIMIT 1;

-- name: PAIR_CHUNK_AFTER
SELECT entity_low, ip_low, body FROM pair_chunk
 WHERE run_id = $1 AND (entity_low, ip_low) > ($2, $3) ORDER BY entity_low, ip_low LIMIT 1;

-- The same in the order of addresses.
-- name: ADDRESS_CHUNK_AT
SELECT entity_low, ip_low, body FROM address_chunk
 WHERE run_id = $1 AND (ip_low, entity_low) <= ($2, $3)
 ORDER BY ip_low DESC, entity_low DESC LIMIT 1;

-- name: ADDRESS_CHUNK_AFTER
SELECT entity_low, ip_low, body FROM address_chunk
 WHERE run_id = $1 AND (ip_low, entity_low) > ($2, $3) ORDER BY ip_low, entity_low LIMIT 1;

-- name: ADDRESS_CHUNK_ADD
-- mode: write
INSERT INTO address_chunk (run_id, entity_low, ip_low, pairs, body) VALUES ($1, $2, $3, $4, $5);

-- name: PAIR_CHUNK_ADD
-- mode: write
INSERT INTO pair_chunk (run_id, entity_low, ip_low, pairs, body) VALUES ($1, $2, $3, $4, $5);

-- The lowest first: the others have what those leave.
-- name: PAIR_RUN_MAKING
-- mode: write
SELECT id, level, by_address, entity_at, ip_at, last_ms FROM pair_run
 WHERE state = 0 ORDER BY level, by_address LIMIT 1;

-- name: PAIR_RUN_ADD
-- mode: write
INSERT INTO pair_run (level, by_address, beside_id, state, into_id, entity_at, ip_at, pairs,
       sightings, last_ms)
VALUES ($1, $2, $3, CASE WHEN CAST($3 AS BIGINT) IS NULL THEN 0 ELSE 3 END, NULL, -1, $4, 0, 0, 0)
RETURNING id;

-- What was written beside a run becomes what it becomes.
-- name: PAIR_BESIDE
-- mode: write
UPDATE pair_run SET state = $1, beside_id = NULL WHERE beside_id = $2;

-- name: PAIR_RUN_GROWN
-- mode: write
UPDATE pair_run SET entity_at = $1, ip_at = $2, pairs = pairs + $3, sightings = sightings + $4,
       last_ms = $5
 WHERE id = $6;

-- name: PAIR_RUN_WHOLE
-- mode: write
UPDATE pair_run SET state = 1 WHERE id = $1;

-- name: PAIR_RUN_MERGED
-- mode: write
UPDATE pair_run SET state = 2 WHERE into_id = $1;

-- name: PAIR_SOURCES_MERGED
-- mode: write
DELETE FROM pair_source WHERE run_id = $1;

-- name: PAIR_SOURCES_FREE
-- mode: write
SELECT chunk_id AS id, rows FROM pair_source WHERE run_id IS NULL ORDER BY chunk_id LIMIT $1;

-- name: PAIR_SOURCES_CLAIM
-- mode: write
UPDATE pair_source SET run_id = $1 WHERE run_id IS NULL AND chunk_id <= $2;

-- name: PAIR_SOURCES_OF_RUN
-- mode: write
SELECT chunk_id AS id, entity_low, day_ms FROM pair_source
 WHERE run_id = $1 AND entity_high > $2 ORDER BY entity_low, chunk_id;

-- Of the first runs by address there are more, which are smaller.
-- name: PAIR_RUNS_READY
-- mode: write
SELECT r.level, r.by_address FROM pair_run r
 WHERE r.state = 1 AND r.into_id IS NULL
   AND NOT EXISTS (SELECT 1 FROM pair_run m WHERE m.state = 0 AND m.level = r.level + 1
                      AND m.by_address = r.by_address)
 GROUP BY r.level, r.by_address
 HAVING COUNT(*) >= CASE WHEN r.level = 1 AND r.by_address = 1 THEN CAST($1 AS BIGINT)
                         ELSE CAST($2 AS BIGINT) END
 ORDER BY r.level, r.by_address LIMIT 1;

-- name: PAIR_RUNS_CROWDED
-- mode: write
SELECT level FROM pair_run WHERE state = 1 AND into_id IS NULL
 GROUP BY level, by_address
 HAVING COUNT(*) >= CASE WHEN level = 1 AND by_address = 1 THEN CAST($1 AS BIGINT)
                         ELSE CAST($2 AS BIGINT) END
 ORDER BY level LIMIT 1;

-- The oldest.
-- name: PAIR_RUNS_CLAIM
-- mode: write
UPDATE pair_run SET into_id = $1 WHERE id IN
       (SELECT id FROM pair_run WHERE state = 1 AND level = $2 AND by_address = $3
           AND into_id IS NULL ORDER BY id LIMIT $4);

-- name: PAIR_RUNS_OF_RUN
-- mode: write
SELECT id, last_ms FROM pair_run WHERE into_id = $1 AND state = 1 ORDER BY id;

-- What is damaged stays to be read, and is made into nothing: into -1.
-- name: PAIR_SOURCE_APART
-- mode: write
UPDATE pair_source SET run_id = -1 WHERE chunk_id = $1;

-- name: PAIR_RUN_APART
-- mode: write
UPDATE pair_run SET into_id = -1 WHERE id = $1 AND state = 1;

-- name: PAIR_SOURCES_RELEASE
-- mode: write
UPDATE pair_source SET run_id = NULL WHERE run_id = $1;

-- name: PAIR_RUNS_RELEASE
-- mode: write
UPDATE pair_run SET into_id = NULL WHERE into_id = $1 AND state = 1;

-- name: PAIR_RUN_ABANDON
-- mode: write
UPDATE pair_run SET state = 2 WHERE id = $1 AND state = 0;

-- name: PAIR_RUNS_DROP
-- mode: write
UPDATE pair_run SET state = 2
 WHERE state = 1 AND (into_id IS NULL OR into_id < 0) AND last_ms < $1;

-- name: PAIR_SINCE
-- mode: write
UPDATE counter SET value = $1 WHERE name = 'pairs_since_ms' AND value < $1;

-- name: PAIR_CHUNKS_SWEEP
-- mode: write
DELETE FROM pair_chunk WHERE id IN
       (SELECT c.id FROM pair_run r JOIN pair_chunk c ON c.run_id = r.id WHERE r.state = 2 LIMIT $1);

-- name: ADDRESS_CHUNKS_SWEEP
-- mode: write
DELETE FROM address_chunk WHERE id IN
       (SELECT c.id FROM pair_run r JOIN address_chunk c ON c.run_id = r.id WHERE r.state = 2
         LIMIT $1);

-- name: PAIR_RUNS_SWEEP
-- mode: write
DELETE FROM pair_run WHERE state = 2
   AND NOT EXISTS (SELECT 1 FROM pair_chunk c WHERE c.run_id = pair_run.id)
   AND NOT EXISTS (SELECT 1 FROM address_chunk a WHERE a.run_id = pair_run.id);

-- name: CHECK_PAIR_RUNS
SELECT id, by_address, pairs, sightings FROM pair_run WHERE state = 1 ORDER BY id;

-- Sources whose chunk is not there.
-- name: CHECK_PAIR_SOURCES
SELECT COUNT(*) FROM pair_source s
 WHERE NOT EXISTS (SELECT 1 FROM observation_chunk c WHERE c.id = s.chunk_id AND c.day_ms = s.day_ms);
