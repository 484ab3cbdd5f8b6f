-- What is wrong with the file itself, a row each.
-- name: CHECK_ENGINE
SELECT integrity_check AS line FROM pragma_integrity_check WHERE integrity_check <> 'ok';
-- postgres:
SELECT c.relname || ' is not valid: REINDEX it' AS line
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
 WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace;

-- name: CHECK_FOREIGN_KEYS
SELECT f."table" || ' has a row that leads nowhere in ' || f.parent AS line
  FROM pragma_foreign_key_check f;
-- postgres:
SELECT conname || ' is not validated' AS line FROM pg_constraint
 WHERE NOT convalidated AND connamespace = current_schema()::regnamespace;

-- name: CHECK_INDEX
SELECT COUNT(*) FROM sqlite_schema WHERE type = 'index' AND name = $1;
-- postgres:
SELECT COUNT(*) FROM pg_class
 WHERE relkind IN ('i', 'I') AND relname = $1 AND relnamespace = current_schema()::regnamespace;

-- name: CHECK_OBSERVATIONS
SELECT id, entity_id AS entity, spec_id AS spec, model_id AS model, object_id AS object,
       finding_id AS finding, last_ms AS last, count, score
  FROM observation WHERE id > $1 ORDER BY id LIMIT $2;

-- name: CHECK_ROLLUPS
SELECT hour_ms AS hour, spec_id AS spec, model_id AS model, observations, events, flagged, histogram
  FROM rollup_hour WHERE (hour_ms, spec_id, model_id) > ($1, $2, $3)
 ORDER BY hour_ms, spec_id, model_id LIMIT $4;

-- name: CHECK_OBJECTS
SELECT id, scored, error_code AS error FROM object WHERE id > $1 ORDER BY id LIMIT $2;

-- name: CHECK_ENTITIES
SELECT id FROM entity WHERE id > $1 ORDER BY id LIMIT $2;

-- name: CHECK_SPECS
SELECT id FROM spec WHERE id > $1 ORDER BY id LIMIT $2;

-- name: CHECK_MODELS
SELECT id FROM model WHERE id > $1 ORDER BY id LIMIT $2;

-- name: CHECK_LOST_SIGHTINGS
SELECT COUNT(*) FROM observation o
 WHERE o.finding_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM finding f WHERE f.id = o.finding_id);

-- Findings whose sightings are not those that are stored.
-- name: CHECK_FINDINGS
SELECT COUNT(*) FROM finding f
 WHERE f.sightings <> (SELECT COUNT(*) FROM observation o WHERE o.finding_id = f.id)
    OR f.observations <> (SELECT COALESCE(SUM(o.count), 0) FROM observation o
                           WHERE o.finding_id = f.id);

-- Findings that are not at their last change; those let go of are known by their number alone.
-- name: CHECK_FINDING_SEQ
SELECT COUNT(*) FROM finding f
 WHERE f.seq <> COALESCE((SELECT MAX(c.seq) FROM change c WHERE c.finding_id = f.id), f.seq)
    OR (f.seq > COALESCE((SELECT MAX(s.seq) FROM change_start s), 0)
        AND NOT EXISTS (SELECT 1 FROM change c WHERE c.seq = f.seq AND c.finding_id = f.id));

-- name: CHECK_OBJECT_IDS
SELECT id FROM object WHERE id > $1 ORDER BY id LIMIT $2;
