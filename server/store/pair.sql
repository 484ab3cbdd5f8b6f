-- name: PAIR_ENTITY
SELECT id FROM entity WHERE uid = $1;

-- name: PAIR_FINDINGS
SELECT spec_id, id AS finding, sightings, observations, first_seen_ms AS first, last_seen_ms AS last,
       score, percentile, model_id
  FROM finding WHERE entity_id = $1 AND ip = $2;

-- The rows after the last that was packed: no more than gather before they are.
-- name: PAIR_STAGED
SELECT spec_id, model_id, first_ms AS first, last_ms AS last, count, score, percentile
  FROM observation WHERE id > $1 AND entity_id = $2 AND ip = $3 AND finding_id IS NULL;

-- name: PAIR_NAMES
SELECT s.name AS spec, m.uid AS model, ms.threshold
  FROM spec s JOIN model m ON m.id = $1
  LEFT JOIN model_spec ms ON ms.model_id = m.id AND ms.spec_id = s.id
 WHERE s.id = $2;
