-- name: MODEL_LIST
SELECT uid AS id, detector, info, path, registered_ms AS registered, last_used_ms AS last_used,
       state, activated_ms AS activated
  FROM model ORDER BY COALESCE(last_used_ms, 0) DESC, model.id DESC LIMIT $1;

-- name: MODEL_GET
SELECT uid AS id, detector, info, path, registered_ms AS registered, last_used_ms AS last_used,
       state, activated_ms AS activated
  FROM model WHERE uid = $1;

-- name: MODEL_SPECS
SELECT s.name AS spec, ms.threshold, ms.sample_size, ms.quantiles, ms.usual_quantiles,
       ms.unknown_share, ms.unseen_share, COALESCE(ms.rule, 0) AS rule, ms.rule_value, ms.rule_least
  FROM model_spec ms JOIN model m ON m.id = ms.model_id JOIN spec s ON s.id = ms.spec_id
 WHERE m.uid = $1 ORDER BY s.name;

-- name: MODEL_ID
SELECT id FROM model WHERE uid = $1;

-- name: MODEL_INSERT
-- mode: write
INSERT INTO model (uid, detector, info, registered_ms) VALUES ($1, $2, $3, $4) RETURNING id;

-- name: MODEL_USED
-- mode: write
UPDATE model SET last_used_ms = $1 WHERE id = $2 AND COALESCE(last_used_ms, 0) < $1;

-- name: MODEL_SPEC_INSERT
-- mode: write
INSERT INTO model_spec (model_id, spec_id, threshold, sample_size, quantiles, usual_quantiles,
       unknown_share, unseen_share, rule, rule_value, rule_least)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (model_id, spec_id) DO UPDATE
   SET rule = COALESCE(model_spec.rule, excluded.rule),
       rule_value = COALESCE(model_spec.rule_value, excluded.rule_value),
       rule_least = COALESCE(model_spec.rule_least, excluded.rule_least);

-- name: SPEC_ID
SELECT id FROM spec WHERE name = $1;

-- name: SPEC_INSERT
-- mode: write
INSERT INTO spec (name) VALUES ($1) RETURNING id;

-- name: SPEC_LIST
SELECT name FROM spec ORDER BY name LIMIT $1;

-- name: ENTITY_ID
SELECT id FROM entity WHERE uid = $1;

-- name: ENTITY_INSERT
-- mode: write
INSERT INTO entity (uid) VALUES ($1) RETURNING id;
