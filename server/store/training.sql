-- name: TRAINING_OBSERVATIONS
SELECT o.id, s.name AS spec, e.uid AS entity, o.ip, o.first_ms, o.count, o.unanswered, f.id AS finding,
       f.verdict, f.verdict_source AS source
  FROM observation o JOIN spec s ON s.id = o.spec_id JOIN entity e ON e.id = o.entity_id
  LEFT JOIN finding f ON f.spec_id = o.spec_id AND f.entity_id = o.entity_id AND f.ip = o.ip
 WHERE o.id > $1 AND o.first_ms >= $2 AND o.first_ms < $3
 ORDER BY o.id LIMIT $4;

-- name: TRAINING_FINDINGS
SELECT f.id, s.name AS spec, e.uid AS entity, f.ip, f.first_seen_ms AS first_ms,
       f.observations AS count, 0 AS unanswered, f.id AS finding, f.verdict, f.verdict_source AS source
  FROM finding f JOIN spec s ON s.id = f.spec_id JOIN entity e ON e.id = f.entity_id
 WHERE f.id > $1 ORDER BY f.id LIMIT $2;

-- name: TRAINING_FINDING_PAIRS
SELECT id, spec_id, entity_id, ip, verdict, verdict_source AS source FROM finding
 WHERE id > $1 ORDER BY id LIMIT $2;

-- name: TRAINING_SPEC
SELECT name FROM spec WHERE id = $1;

-- name: TRAINING_ENTITY
SELECT uid AS name FROM entity WHERE id = $1;
