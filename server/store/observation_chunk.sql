-- name: CHUNK_INSERT
-- mode: write
INSERT INTO observation_chunk (day_ms, level, rows, entity_low, entity_high, first_ms, filter, body)
VALUES ($1, 0, $2, $3, $4, $5, $6, $7);

-- name: CHUNK_DAY
-- mode: write
SELECT 1 WHERE CAST($1 AS INTEGER) IS NULL;
-- postgres:
SELECT observation_chunk_day($1);

-- name: CHUNK_BODY
SELECT body FROM observation_chunk WHERE id = $1 AND day_ms = $2;

-- name: CHUNK_NEXT
SELECT id, day_ms FROM observation_chunk
 WHERE id > $1 AND day_ms >= $2 AND first_ms < $3 ORDER BY id LIMIT 1;

-- name: CHUNK_DELETE
-- mode: write
DELETE FROM observation_chunk WHERE id = $1 AND day_ms = $2;

-- name: OBSERVATION_STAGED
-- mode: write
SELECT COALESCE((SELECT MAX(id) FROM observation), 0) - value FROM counter WHERE name = $1;

-- name: OBSERVATION_TO_PACK
-- mode: write
SELECT id, entity_id, ip, spec_id, model_id, object_id, first_ms, last_ms, count, score, percentile,
       unanswered
  FROM observation
 WHERE id > $1 AND finding_id IS NULL ORDER BY id LIMIT $2;

-- name: OBSERVATION_PACKED
-- mode: write
DELETE FROM observation WHERE id > $1 AND id <= $2 AND finding_id IS NULL;

-- SQLite gives the ids of deleted last rows again, so the mark goes no further than the last that is
-- left; PostgreSQL does not.
-- name: OBSERVATION_PACKED_TO
-- mode: write
UPDATE counter
   SET value = CASE WHEN $1 < (SELECT COALESCE(MAX(o.id), 0) FROM observation o) THEN CAST($1 AS BIGINT)
                    ELSE (SELECT COALESCE(MAX(o.id), 0) FROM observation o) END
 WHERE name = $2;
-- postgres:
UPDATE counter SET value = $1 WHERE name = $2;

-- The same before rows are added, after others were let go of.
-- name: OBSERVATION_PACKED_CHECK
-- mode: write
UPDATE counter SET value = (SELECT COALESCE(MAX(o.id), 0) FROM observation o)
 WHERE name = $1 AND value > (SELECT COALESCE(MAX(o.id), 0) FROM observation o);
-- postgres:
UPDATE counter SET value = value WHERE name = $1 AND FALSE;

-- name: CHUNK_DROP
-- mode: write
DELETE FROM observation_chunk
 WHERE id IN (SELECT id FROM observation_chunk WHERE day_ms < $1 LIMIT $2);
-- postgres:
SELECT 1 FROM generate_series(1, observation_chunk_drop($1)) WHERE CAST($2 AS BIGINT) > 0;
