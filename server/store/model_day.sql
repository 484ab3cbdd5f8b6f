-- name: MODEL_DAY_FINDINGS
SELECT f.first_seen_ms / 86400000 AS day, COUNT(*) AS findings
  FROM finding f JOIN model m ON m.id = f.model_id JOIN spec s ON s.id = f.spec_id
 WHERE f.last_seen_ms >= $1 AND f.first_seen_ms >= $1 AND f.first_seen_ms < $2
   AND m.uid = $3 AND s.name = $4
 GROUP BY f.first_seen_ms / 86400000;
