-- name: ROLLUP_GET
-- mode: write
SELECT observations, events, flagged, unknown_entities, unseen_networks, histogram
  FROM rollup_hour
 WHERE hour_ms = $1 AND spec_id = $2 AND model_id = $3;

-- name: ROLLUP_PUT
-- mode: write
INSERT INTO rollup_hour (hour_ms, spec_id, model_id, observations, events, flagged,
       unknown_entities, unseen_networks, histogram)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (hour_ms, spec_id, model_id) DO UPDATE
   SET observations = excluded.observations, events = excluded.events,
       flagged = excluded.flagged, unknown_entities = excluded.unknown_entities,
       unseen_networks = excluded.unseen_networks, histogram = excluded.histogram;

-- name: ROLLUP_SERIES
SELECT r.hour_ms AS time, r.observations, r.events, r.flagged, r.unknown_entities,
       r.unseen_networks, r.histogram
  FROM rollup_hour r JOIN spec s ON s.id = r.spec_id JOIN model m ON m.id = r.model_id
 WHERE r.hour_ms >= $1 AND r.hour_ms < $2
   AND (s.name = $3 OR $3 IS NULL) AND (m.uid = $4 OR $4 IS NULL)
 ORDER BY r.hour_ms;

-- name: ROLLUP_FIRST
SELECT hour_ms FROM rollup_hour ORDER BY hour_ms LIMIT 1;

-- name: ROLLUP_LAST
SELECT hour_ms FROM rollup_hour ORDER BY hour_ms DESC LIMIT 1;

-- name: ROLLUP_MAIN_SPEC
SELECT s.name AS name
  FROM rollup_hour r JOIN spec s ON s.id = r.spec_id
 WHERE r.hour_ms >= $1 AND r.hour_ms < $2
 GROUP BY s.name ORDER BY SUM(r.observations) DESC, s.name LIMIT 1;

-- name: ROLLUP_LAST_MODEL
SELECT m.uid AS name
  FROM rollup_hour r JOIN spec s ON s.id = r.spec_id JOIN model m ON m.id = r.model_id
 WHERE r.hour_ms >= $1 AND r.hour_ms < $2 AND (s.name = $3 OR $3 IS NULL)
 ORDER BY r.hour_ms DESC, m.id DESC LIMIT 1;

-- name: COUNTER_ADD
-- mode: write
INSERT INTO counter (name, value) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value;

-- name: COUNTER_GET
SELECT value FROM counter WHERE name = $1;
