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

-- name: CHANGE_FIRST_SEQ
SELECT COALESCE(MIN(seq), 0) FROM change;

-- name: CHANGE_LAST
SELECT seq, hash FROM change ORDER BY seq DESC LIMIT 1;

-- A text longer than any of ours is cut, and then its hash does not follow.
-- name: CHANGE_CHAIN
SELECT seq, time_ms AS time, kind, substr(actor, 1, $1) AS actor, finding_id AS finding,
       substr(body, 1, $1) AS body, substr(hash, 1, 33) AS hash
  FROM change WHERE seq > $2 ORDER BY seq LIMIT $3;

-- name: CHANGE_START
SELECT seq, hash FROM change_start;

-- name: CHANGE_INSERT
-- mode: write
INSERT INTO change (seq, time_ms, actor, kind, finding_id, body, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- The same where many follow each other.
-- name: CHANGE_INSERT_MANY
-- mode: write
INSERT INTO change (seq, time_ms, actor, kind, finding_id, body, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7);
-- postgres:
COPY change (seq, time_ms, actor, kind, finding_id, body, hash) FROM STDIN;
