-- name: CHANGE_LIST
SELECT seq, time_ms AS time, kind, actor, finding_id AS finding, body
  FROM change WHERE seq > $1 ORDER BY seq LIMIT $2;

-- name: CHANGE_HISTORY
SELECT seq, time, kind, actor, finding, body FROM
       (SELECT seq, time_ms AS time, kind, actor, finding_id AS finding, body
          FROM change WHERE finding_id = $1 ORDER BY seq DESC LIMIT $2) AS newest
 ORDER BY seq;

-- name: CHANGE_LAST_SEQ
SELECT COALESCE(MAX(seq), 0) FROM change;

-- name: CHANGE_LAST
SELECT seq, time_ms AS time, kind, actor, finding_id AS finding, body, hash
  FROM change ORDER BY seq DESC LIMIT 1;

-- name: CHANGE_CHAIN
SELECT seq, time_ms AS time, kind, actor, finding_id AS finding, body, hash
  FROM change ORDER BY seq;

-- name: CHANGE_INSERT
-- mode: write
INSERT INTO change (seq, time_ms, actor, kind, finding_id, body, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7);
