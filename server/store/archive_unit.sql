-- name: ARCHIVE_NEXT
SELECT id, day_ms AS day, rows, created_ms AS created, body FROM archive
 WHERE body IS NOT NULL ORDER BY id LIMIT 1;

-- name: ARCHIVE_DONE
-- mode: write
UPDATE archive SET body = NULL, path = $1, sha256 = $2 WHERE id = $3 AND body IS NOT NULL;

-- name: ARCHIVE_SUM
SELECT COUNT(*) FILTER (WHERE body IS NOT NULL) AS pending,
       CAST(COALESCE(SUM(rows) FILTER (WHERE body IS NOT NULL), 0) AS BIGINT) AS pending_rows,
       COUNT(*) FILTER (WHERE body IS NULL) AS objects,
       CAST(COALESCE(SUM(rows) FILTER (WHERE body IS NULL), 0) AS BIGINT) AS rows
  FROM archive;

-- name: ARCHIVE_NAMES
SELECT s.name AS spec, e.uid AS entity, m.uid AS model, o.bucket, o.key, o.etag
  FROM entity e JOIN spec s ON s.id = $1 JOIN model m ON m.id = $2
  LEFT JOIN object o ON o.id = $3
 WHERE e.id = $4;

-- name: ARCHIVE_HAS
SELECT COUNT(*) FROM archive WHERE sha256 = $1;
