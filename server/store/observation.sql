-- name: SIGHTING_LIST
SELECT b.first_ms AS first, b.last_ms AS last, b.count, b.score, b.percentile, o.bucket, o.key
  FROM observation b LEFT JOIN object o ON o.id = b.object_id
 WHERE b.finding_id = $1 ORDER BY b.last_ms DESC LIMIT $2;

-- name: SIGHTING_BY_TIME
SELECT time, count FROM
       (SELECT last_ms - last_ms % $1 AS time, SUM(count) AS count
          FROM observation WHERE finding_id = $2 GROUP BY 1 ORDER BY 1 DESC LIMIT $3) AS newest
 ORDER BY time;

-- name: OBSERVATION_INSERT
-- mode: write
INSERT INTO observation (entity_id, ip, spec_id, model_id, object_id, first_ms, last_ms, count,
       score, percentile, unanswered, finding_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);
-- postgres:
COPY observation (entity_id, ip, spec_id, model_id, object_id, first_ms, last_ms, count,
       score, percentile, unanswered, finding_id) FROM STDIN;
