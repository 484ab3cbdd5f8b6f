-- name: NOTICE_LIST
SELECT id, bucket, key, etag, region, size_bytes, time_ms AS made, folder, origin,
       received_ms AS received, state, attempts, ready_ms AS ready, error_code, error
  FROM notice
 WHERE id < $1 AND (state = $2 OR $2 < 0)
 ORDER BY notice.id DESC LIMIT $3;

-- name: NOTICE_COUNT
SELECT COUNT(*) FILTER (WHERE state = 0) AS waiting, COUNT(*) FILTER (WHERE state = 1) AS in_hand,
       COUNT(*) FILTER (WHERE state = 2) AS dead,
       MIN(received_ms) FILTER (WHERE state = 0) AS oldest
  FROM notice;

-- name: NOTICE_WAITING
-- mode: write
SELECT COUNT(*) FROM (SELECT ready_ms FROM notice WHERE state < 2 LIMIT $1) AS newest;

-- name: NOTICE_READY
SELECT id FROM notice
 WHERE state < 2 AND ready_ms <= $1 AND folder = $2 AND (bucket = $3 OR $3 IS NULL) LIMIT 1;

-- name: NOTICE_FAR_AHEAD
SELECT id FROM notice
 WHERE state < 2 AND ready_ms > $1 AND folder = $2 AND (bucket = $3 OR $3 IS NULL) LIMIT 1;

-- Nothing waits so long: the clock was put back since.
-- name: NOTICE_TIMELY
-- mode: write
UPDATE notice SET ready_ms = $1 WHERE state < 2 AND ready_ms > $2;

-- name: NOTICE_PUT
-- mode: write
INSERT INTO notice (bucket, key, etag, region, size_bytes, time_ms, folder, origin, received_ms,
       state, attempts, ready_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, $9)
ON CONFLICT (bucket, key, etag) DO UPDATE
   SET state = 0, attempts = 0, ready_ms = excluded.ready_ms, origin = excluded.origin,
       received_ms = excluded.received_ms, holder = NULL
 WHERE notice.state = 2;

-- name: NOTICE_REVIVE
-- mode: write
UPDATE notice SET state = 0, attempts = 0, ready_ms = $1, holder = NULL WHERE id = $2 AND state = 2;

-- name: NOTICE_GET
-- mode: write
SELECT id, bucket, key, etag, region, size_bytes, time_ms AS made, folder, origin,
       received_ms AS received, state, attempts, ready_ms AS ready, error_code, error
  FROM notice WHERE id = $1;

-- name: NOTICE_BURY_LOST
-- mode: write
UPDATE notice SET state = 2, holder = NULL, error_code = 'lost', error = $1
 WHERE state = 1 AND ready_ms <= $2 AND attempts >= $3;

-- name: NOTICE_BURY
-- mode: write
UPDATE notice SET state = 2, holder = NULL,
       error_code = (SELECT o.error_code FROM object o WHERE o.bucket = $1 AND o.key = $2
                        AND o.error_code IS NOT NULL ORDER BY o.id DESC LIMIT 1),
       error = (SELECT o.error FROM object o WHERE o.bucket = $1 AND o.key = $2
                   AND o.error_code IS NOT NULL ORDER BY o.id DESC LIMIT 1)
 WHERE id = $3 AND holder = $4;

-- name: NOTICE_PURGE_DEAD
-- mode: write
DELETE FROM notice WHERE state = 2 AND id <=
       (SELECT d.id FROM notice d WHERE d.state = 2 ORDER BY d.id DESC LIMIT 1 OFFSET $1);

-- name: NOTICE_CLAIM
-- mode: write
UPDATE notice SET state = 1, holder = $1, ready_ms = $2, attempts = attempts + 1
 WHERE id IN (SELECT n.id FROM notice n
               WHERE n.state < 2 AND n.ready_ms <= $3 AND n.folder = $4
                 AND (n.bucket = $5 OR $5 IS NULL)
               ORDER BY n.ready_ms, n.id LIMIT $6)
RETURNING id, bucket, key, etag, region, size_bytes, time_ms AS made, folder, origin,
       received_ms AS received, state, attempts, ready_ms AS ready, error_code, error;

-- name: NOTICE_DEALT
-- mode: write
DELETE FROM notice WHERE id = $1 AND holder = $2;

-- name: NOTICE_LATER
-- mode: write
UPDATE notice SET state = 0, holder = NULL, ready_ms = $1, attempts = $2
 WHERE id = $3 AND holder = $4;

-- name: NOTICE_RENEW
-- mode: write
UPDATE notice SET ready_ms = $1 WHERE holder = $2 AND state = 1;
