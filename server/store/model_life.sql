-- name: MODEL_SEAT
SELECT uid AS id, path, state, activated_ms AS activated FROM model WHERE state = $1
 ORDER BY model.id DESC LIMIT 1;

-- name: MODEL_OF_PATH
SELECT uid AS id, path, state, activated_ms AS activated FROM model WHERE path = $1
 ORDER BY model.id DESC LIMIT 1;

-- name: MODEL_SEATS
SELECT uid AS id, path, state, activated_ms AS activated FROM model ORDER BY model.id DESC LIMIT $1;

-- name: MODEL_BEFORE
-- mode: write
SELECT uid AS id, path, state, activated_ms AS activated FROM model
 WHERE state = $1 AND activated_ms IS NOT NULL ORDER BY activated_ms DESC, model.id DESC LIMIT 1;

-- name: MODEL_STATE
SELECT uid AS id, path, state, activated_ms AS activated FROM model WHERE uid = $1;

-- name: MODEL_EMPTY_SEAT
-- mode: write
UPDATE model SET state = $1 WHERE state = $2;

-- name: MODEL_MOVE
-- mode: write
UPDATE model SET state = $1, path = COALESCE($2, path), activated_ms = COALESCE($3, activated_ms)
 WHERE uid = $4;

-- name: COMPARISON_ADD
-- mode: write
INSERT INTO comparison (day_ms, spec_id, active_id, shadow_id, pairs, by_both, only_active,
       only_shadow)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (day_ms, spec_id, active_id, shadow_id) DO UPDATE
   SET pairs = comparison.pairs + excluded.pairs, by_both = comparison.by_both + excluded.by_both,
       only_active = comparison.only_active + excluded.only_active,
       only_shadow = comparison.only_shadow + excluded.only_shadow;

-- name: DIFFERENCE_COUNT
-- mode: write
SELECT COUNT(*) FROM difference WHERE shadow_id = $1 AND active_id = $2;

-- name: DIFFERENCE_ADD
-- mode: write
INSERT INTO difference (shadow_id, active_id, spec_id, entity_id, ip, time_ms, active_score,
       shadow_score, shadow_flagged, active_threshold, shadow_threshold)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (shadow_id, active_id, spec_id, entity_id, ip) DO NOTHING;

-- name: COMPARISON_LIST
SELECT s.name AS spec, a.uid AS active, h.uid AS shadow, MIN(c.day_ms) AS first_day,
       MAX(c.day_ms) AS last_day, CAST(SUM(c.pairs) AS BIGINT) AS pairs,
       CAST(SUM(c.by_both) AS BIGINT) AS by_both,
       CAST(SUM(c.only_active) AS BIGINT) AS only_active,
       CAST(SUM(c.only_shadow) AS BIGINT) AS only_shadow
  FROM comparison c JOIN spec s ON s.id = c.spec_id JOIN model a ON a.id = c.active_id
  JOIN model h ON h.id = c.shadow_id
 WHERE c.day_ms >= $1 AND (a.uid = $2 OR h.uid = $2)
 GROUP BY s.name, a.uid, h.uid ORDER BY s.name, MAX(c.day_ms) DESC LIMIT $3;

-- name: DIFFERENCE_LIST
SELECT s.name AS spec, e.uid AS entity, d.ip, d.time_ms AS time, a.uid AS active, d.active_score, d.shadow_score,
       d.active_threshold, d.shadow_threshold, d.shadow_flagged
  FROM difference d JOIN spec s ON s.id = d.spec_id JOIN entity e ON e.id = d.entity_id
  JOIN model a ON a.id = d.active_id
 WHERE d.shadow_id = (SELECT id FROM model WHERE uid = $1)
 ORDER BY ABS(d.active_score - d.shadow_score) DESC, d.id LIMIT $2;
