-- name: OBJECT_LIST
SELECT id, bucket, key, etag, size_bytes, rows, pairs, scored, unscored, error_code, error,
       attempts, finished_ms AS finished, source, region, account, folder, made_ms AS made,
       first_ms AS first_event, last_ms AS last_event
  FROM object
 WHERE id < $1 AND ($2 < 0 OR ($2 = 0 AND error_code IS NULL) OR ($2 = 1 AND error_code IS NOT NULL))
   AND (source = $3 OR $3 IS NULL) AND finished_ms >= $4 AND finished_ms < $5
 ORDER BY object.id DESC LIMIT $6;

-- name: OBJECT_LIST_FAILED
SELECT id, bucket, key, etag, size_bytes, rows, pairs, scored, unscored, error_code, error,
       attempts, finished_ms AS finished, source, region, account, folder, made_ms AS made,
       first_ms AS first_event, last_ms AS last_event
  FROM object
 WHERE id < $1 AND error_code IS NOT NULL
   AND (source = $2 OR $2 IS NULL) AND finished_ms >= $3 AND finished_ms < $4
 ORDER BY object.id DESC LIMIT $5;

-- name: OBJECT_GET
SELECT id, bucket, key, etag, size_bytes, rows, pairs, scored, unscored, error_code, error,
       attempts, finished_ms AS finished, source, region, account, folder, made_ms AS made,
       first_ms AS first_event, last_ms AS last_event
  FROM object WHERE id = $1;

-- name: OBJECT_COUNT
SELECT COUNT(*) FILTER (WHERE error_code IS NULL) AS stored,
       COUNT(*) FILTER (WHERE error_code IS NOT NULL) AS failed
  FROM object;

-- name: OBJECT_DONE
SELECT id FROM object WHERE bucket = $1 AND key = $2 AND etag = $3 AND error_code IS NULL;

-- name: OBJECT_PAIRS_STORED
SELECT scored FROM object WHERE bucket = $1 AND key = $2 AND etag = $3;

-- name: OBJECT_PUT
-- mode: write
INSERT INTO object (bucket, key, etag, size_bytes, rows, pairs, scored, unscored, error_code,
       error, attempts, finished_ms, source, region, account, folder, made_ms, first_ms, last_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (bucket, key, etag) DO UPDATE
   SET size_bytes = excluded.size_bytes, rows = excluded.rows, pairs = excluded.pairs,
       scored = CASE WHEN excluded.error_code IS NULL OR excluded.scored > object.scored
                     THEN excluded.scored ELSE object.scored END,
       unscored = excluded.unscored, error_code = excluded.error_code, error = excluded.error,
       attempts = object.attempts + $19, finished_ms = excluded.finished_ms,
       made_ms = COALESCE(excluded.made_ms, object.made_ms),
       first_ms = CASE WHEN object.first_ms < excluded.first_ms OR excluded.first_ms IS NULL
                       THEN object.first_ms ELSE excluded.first_ms END,
       last_ms = CASE WHEN object.last_ms > excluded.last_ms OR excluded.last_ms IS NULL
                      THEN object.last_ms ELSE excluded.last_ms END
RETURNING id;

-- name: REQUEST_GET
SELECT digest, result FROM request WHERE origin = $1 AND key = $2;

-- name: REQUEST_PUT
-- mode: write
INSERT INTO request (origin, key, digest, result, created_ms) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (origin, key) DO UPDATE SET result = excluded.result, created_ms = excluded.created_ms;

-- name: REQUEST_PURGE
-- mode: write
DELETE FROM request WHERE created_ms < $1;
