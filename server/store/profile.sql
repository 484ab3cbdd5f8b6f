-- name: PROFILE_FINDINGS_OF_ENTITY
SELECT entity_id, ip, id AS finding, spec_id, sightings, observations AS count,
       first_seen_ms AS first, last_seen_ms AS last, percentile
  FROM finding WHERE entity_id = $1 ORDER BY last_seen_ms DESC, id DESC LIMIT $2;

-- name: PROFILE_FINDINGS_OF_IP
SELECT entity_id, ip, id AS finding, spec_id, sightings, observations AS count,
       first_seen_ms AS first, last_seen_ms AS last, percentile
  FROM finding WHERE ip = $1 ORDER BY last_seen_ms DESC, id DESC LIMIT $2;

-- The sightings of these findings, for the events of each day.
-- name: PROFILE_FLAGGED_OF_ENTITY
SELECT o.last_ms AS last, o.count
  FROM finding f JOIN observation o ON o.finding_id = f.id
 WHERE f.entity_id = $1 AND f.last_seen_ms >= $2 AND o.last_ms >= $2 LIMIT $3;

-- name: PROFILE_FLAGGED_OF_IP
SELECT o.last_ms AS last, o.count
  FROM finding f JOIN observation o ON o.finding_id = f.id
 WHERE f.ip = $1 AND f.last_seen_ms >= $2 AND o.last_ms >= $2 LIMIT $3;

-- The rows after the last that was packed: no more than gather before they are.
-- name: PROFILE_STAGED_OF_ENTITY
SELECT entity_id, ip, finding_id AS finding, spec_id, CAST(1 AS BIGINT) AS sightings, count,
       first_ms AS first, last_ms AS last, percentile
  FROM observation WHERE id > $1 AND entity_id = $2 AND finding_id IS NULL;

-- name: PROFILE_STAGED_OF_IP
SELECT entity_id, ip, finding_id AS finding, spec_id, CAST(1 AS BIGINT) AS sightings, count,
       first_ms AS first, last_ms AS last, percentile
  FROM observation WHERE id > $1 AND ip = $2 AND finding_id IS NULL;

-- name: PROFILE_ENTITY_NAME
SELECT uid AS name FROM entity WHERE id = $1;

-- name: PROFILE_SPEC_NAME
SELECT name FROM spec WHERE id = $1;
