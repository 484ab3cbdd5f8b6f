-- name: PROFILE_FLAGGED_ENTITY
SELECT f.entity_id, f.ip, f.id AS finding, o.spec_id, o.first_ms AS first, o.last_ms AS last,
       o.count, o.percentile
  FROM finding f JOIN observation o ON o.finding_id = f.id
 WHERE f.entity_id = $1 AND o.last_ms >= $2 LIMIT $3;

-- name: PROFILE_FLAGGED_IP
SELECT f.entity_id, f.ip, f.id AS finding, o.spec_id, o.first_ms AS first, o.last_ms AS last,
       o.count, o.percentile
  FROM finding f JOIN observation o ON o.finding_id = f.id
 WHERE f.ip = $1 AND o.last_ms >= $2 LIMIT $3;

-- The rows after the last that was packed: no more than gather before they are.
-- name: PROFILE_STAGED_ENTITY
SELECT entity_id, ip, finding_id AS finding, spec_id, first_ms AS first, last_ms AS last, count,
       percentile
  FROM observation WHERE id > $1 AND entity_id = $2 AND last_ms >= $3 AND finding_id IS NULL;

-- name: PROFILE_STAGED_IP
SELECT entity_id, ip, finding_id AS finding, spec_id, first_ms AS first, last_ms AS last, count,
       percentile
  FROM observation WHERE id > $1 AND ip = $2 AND last_ms >= $3 AND finding_id IS NULL;

-- name: PROFILE_ENTITY_NAME
SELECT uid AS name FROM entity WHERE id = $1;

-- name: PROFILE_SPEC_NAME
SELECT name FROM spec WHERE id = $1;

-- Where the entity may be in these days, or everything of them; by the index alone.
-- name: PROFILE_CHUNKS_OF_ENTITY
SELECT id, day_ms FROM observation_chunk
 WHERE day_ms >= $1 AND entity_low <= $2 AND entity_high >= $2 ORDER BY day_ms DESC LIMIT $3;

-- name: PROFILE_CHUNKS
SELECT id, day_ms FROM observation_chunk WHERE day_ms >= $1 ORDER BY day_ms DESC LIMIT $2;
