-- name: NOTE_LIST
SELECT id, author, time_ms AS time, text FROM note WHERE finding_id = $1 ORDER BY id LIMIT $2;

-- name: NOTE_COUNT
SELECT COUNT(*) FROM note WHERE finding_id = $1;

-- name: NOTE_INSERT
-- mode: write
INSERT INTO note (finding_id, author, time_ms, text) VALUES ($1, $2, $3, $4) RETURNING id;
