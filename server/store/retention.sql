-- name: RETAIN_OLDEST_DAY
SELECT COALESCE(MIN(day_ms), -1) FROM observation_chunk;

-- name: RETAIN_CHUNKS
-- mode: write
SELECT id, day_ms AS day, rows, body FROM observation_chunk
 WHERE day_ms < $1 ORDER BY day_ms, entity_low LIMIT $2;

-- name: RETAIN_CHUNK_SUM
SELECT CAST(COALESCE(SUM(rows), 0) AS BIGINT) AS rows,
       CAST(COALESCE(SUM(length(filter) + length(body)), 0) AS BIGINT) AS bytes
  FROM observation_chunk WHERE day_ms < $1;

-- Those that came a few at a time and are not packed yet, after the last that was.
-- name: RETAIN_STAGED
-- mode: write
SELECT id, entity_id, ip, spec_id, model_id, object_id, first_ms, last_ms, count, score, percentile,
       unanswered
  FROM observation
 WHERE id > (SELECT c.value FROM counter c WHERE c.name = $1) AND finding_id IS NULL
   AND last_ms < $2 AND id < (SELECT MAX(o.id) FROM observation o)
 ORDER BY id LIMIT $3;

-- name: RETAIN_STAGED_COUNT
SELECT COUNT(*) FROM observation
 WHERE id > (SELECT c.value FROM counter c WHERE c.name = $1) AND finding_id IS NULL
   AND last_ms < $2 AND id < (SELECT MAX(o.id) FROM observation o);

-- name: RETAIN_STAGED_DELETE
-- mode: write
DELETE FROM observation WHERE id = $1 AND finding_id IS NULL;

-- name: ARCHIVE_INSERT
-- mode: write
INSERT INTO archive (day_ms, rows, body, created_ms) VALUES ($1, $2, $3, $4);

-- name: RETAIN_WHOLE_SINCE
-- mode: write
UPDATE counter SET value = $1 WHERE name = 'whole_since_ms' AND value < $1;

-- The newest finding and the newest observation stay: their numbers are not given again.
-- name: RETAIN_FINDING
-- mode: write
SELECT id FROM finding
 WHERE last_seen_ms < $1 AND updated_ms < $1 AND status >= 2
   AND id < (SELECT MAX(f.id) FROM finding f)
   AND id <> COALESCE((SELECT o.finding_id FROM observation o ORDER BY o.id DESC LIMIT 1), 0)
 ORDER BY last_seen_ms, id LIMIT 1;

-- name: RETAIN_FINDING_SUM
SELECT COUNT(*) AS findings, CAST(COALESCE(SUM(sightings), 0) AS BIGINT) AS sightings FROM finding
 WHERE last_seen_ms < $1 AND updated_ms < $1 AND status >= 2;

-- name: RETAIN_SIGHTINGS_SUM
-- mode: write
SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM
       (SELECT count FROM observation WHERE finding_id = $1 ORDER BY last_ms, id LIMIT $2) AS newest;

-- name: RETAIN_SIGHTINGS
-- mode: write
DELETE FROM observation WHERE id IN
       (SELECT id FROM observation WHERE finding_id = $1 ORDER BY last_ms, id LIMIT $2);

-- name: RETAIN_FINDING_LESS
-- mode: write
UPDATE finding SET sightings = sightings - $1, observations = observations - $2 WHERE id = $3;

-- name: RETAIN_NOTES
-- mode: write
DELETE FROM note WHERE finding_id = $1;

-- name: RETAIN_EXPLANATION
-- mode: write
DELETE FROM explanation WHERE finding_id = $1;

-- name: RETAIN_FINDING_DELETE
-- mode: write
DELETE FROM finding WHERE id = $1;

-- Of the oldest changes the last before the first that is to be kept.
-- name: RETAIN_CHANGES_THROUGH
-- mode: write
SELECT COALESCE(MIN(CASE WHEN time_ms >= $1 THEN seq - 1 END), MAX(seq), 0)
  FROM (SELECT seq, time_ms FROM change ORDER BY seq LIMIT $2) AS newest;

-- name: RETAIN_CHANGE_COUNT
SELECT COUNT(*) FROM change
 WHERE seq < COALESCE((SELECT MIN(c.seq) FROM change c WHERE c.time_ms >= $1), 0);

-- name: RETAIN_CHANGE
-- mode: write
SELECT seq, hash FROM change WHERE seq = $1;

-- name: RETAIN_CHANGES
-- mode: write
DELETE FROM change WHERE seq <= $1;

-- name: RETAIN_START_CLEAR
-- mode: write
DELETE FROM change_start;

-- name: RETAIN_START_SET
-- mode: write
INSERT INTO change_start (seq, hash) VALUES ($1, $2);

-- Objects that no sighting of a finding came from, in pages.
-- name: RETAIN_OBJECTS
-- mode: write
SELECT id, finished_ms < $1
       AND NOT EXISTS (SELECT 1 FROM observation b WHERE b.object_id = o.id AND b.finding_id IS NOT NULL)
       AS old
  FROM object o WHERE id > $2 AND id < (SELECT MAX(x.id) FROM object x) ORDER BY o.id LIMIT $3;
-- postgres:
SELECT id, CAST(finished_ms < $1
       AND NOT EXISTS (SELECT 1 FROM observation b WHERE b.object_id = o.id AND b.finding_id IS NOT NULL)
       AS INTEGER) AS old
  FROM object o WHERE id > $2 AND id < (SELECT MAX(x.id) FROM object x) ORDER BY o.id LIMIT $3;

-- name: RETAIN_OBJECT_COUNT
SELECT COUNT(*) FROM object o
 WHERE finished_ms < $1
   AND NOT EXISTS (SELECT 1 FROM observation b WHERE b.object_id = o.id AND b.finding_id IS NOT NULL);

-- name: RETAIN_OBJECT
-- mode: write
DELETE FROM object WHERE id = $1;

-- name: RETAIN_HOUR
-- mode: write
SELECT hour_ms FROM rollup_hour
 WHERE hour_ms < $1 AND hour_ms % 86400000 <> 0 ORDER BY hour_ms LIMIT 1;

-- name: RETAIN_HOURS_OF
-- mode: write
SELECT spec_id AS spec, model_id AS model, observations, events, flagged, unknown_entities,
       unseen_networks, histogram
  FROM rollup_hour WHERE hour_ms > $1 AND hour_ms < $2 ORDER BY hour_ms, spec_id, model_id;

-- name: RETAIN_HOURS
-- mode: write
DELETE FROM rollup_hour WHERE hour_ms > $1 AND hour_ms < $2;

-- name: RETAIN_HOUR_COUNT
SELECT COUNT(*) FROM rollup_hour WHERE hour_ms < $1 AND hour_ms % 86400000 <> 0;

-- name: RETAIN_ROLLUP_SUM
SELECT COUNT(*) AS rows, CAST(COALESCE(SUM(observations), 0) AS BIGINT) AS observations,
       CAST(COALESCE(SUM(flagged), 0) AS BIGINT) AS flagged, COALESCE(MIN(hour_ms), 0) AS first
  FROM rollup_hour WHERE hour_ms < $1;

-- name: RETAIN_ROLLUPS
-- mode: write
DELETE FROM rollup_hour WHERE hour_ms < $1;

-- name: RETAIN_COMPARISONS
-- mode: write
DELETE FROM comparison WHERE day_ms < $1;

-- name: RETAIN_DIFFERENCES
-- mode: write
DELETE FROM difference WHERE id IN (SELECT id FROM difference WHERE time_ms < $1 LIMIT $2);
