-- name: WINDOW_DAY
-- mode: write
SELECT body FROM score_window WHERE model_id = $1 AND spec_id = $2 AND day_ms = $3;

-- name: WINDOW_NEWEST
-- mode: write
SELECT day_ms FROM score_window WHERE model_id = $1 AND spec_id = $2 ORDER BY day_ms DESC LIMIT 1;

-- name: WINDOW_PUT
-- mode: write
INSERT INTO score_window (model_id, spec_id, day_ms, body) VALUES ($1, $2, $3, $4)
ON CONFLICT (model_id, spec_id, day_ms) DO UPDATE SET body = excluded.body;

-- name: WINDOW_FORGET
-- mode: write
DELETE FROM score_window WHERE model_id = $1 AND spec_id = $2 AND day_ms < $3;

-- name: WINDOW_READ
SELECT w.day_ms AS day, w.body
  FROM score_window w JOIN model m ON m.id = w.model_id JOIN spec s ON s.id = w.spec_id
 WHERE m.uid = $1 AND s.name = $2 AND w.day_ms < $3 ORDER BY w.day_ms DESC LIMIT $4;
