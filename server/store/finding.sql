-- name: FINDING_BY_ID
SELECT f.id, f.uid, s.name AS spec, e.uid AS entity, f.ip, f.status, f.verdict,
       f.verdict_source, f.assignee, f.tags, f.score, f.percentile, f.entity_known, f.first_seen_ms AS first_seen,
       f.last_seen_ms AS last_seen, f.sightings, f.observations, f.account, f.region,
       m.uid AS model, f.version, f.created_ms AS created, f.updated_ms AS updated, f.seq
  FROM finding f JOIN spec s ON s.id = f.spec_id JOIN entity e ON e.id = f.entity_id
  JOIN model m ON m.id = f.model_id
 WHERE f.id = $1;

-- name: FINDING_LIST_BY_TIME
SELECT f.id, f.uid, s.name AS spec, e.uid AS entity, f.ip, f.status, f.verdict,
       f.verdict_source, f.assignee, f.tags, f.score, f.percentile, f.entity_known, f.first_seen_ms AS first_seen,
       f.last_seen_ms AS last_seen, f.sightings, f.observations, f.account, f.region,
       m.uid AS model, f.version, f.created_ms AS created, f.updated_ms AS updated, f.seq
  FROM finding f JOIN spec s ON s.id = f.spec_id JOIN entity e ON e.id = f.entity_id
  JOIN model m ON m.id = f.model_id
 WHERE (f.last_seen_ms, f.id) < ($1, $2)
   AND ((1 << f.status) & $3) <> 0
   AND ((1 << COALESCE(f.verdict, 30)) & $4) <> 0
   AND (s.name = $5 OR $5 IS NULL)
   AND (e.uid = $6 OR $6 IS NULL)
   AND (substr(e.uid, 1, length($7)) = $7 OR $7 IS NULL)
   AND (f.ip BETWEEN $8 AND $9 OR $8 IS NULL)
   AND (f.score >= $10 OR $10 IS NULL)
   AND COALESCE(f.percentile, -1) >= $11
   AND f.last_seen_ms >= $12
   AND f.last_seen_ms < $13
   AND (COALESCE(f.assignee, '') = $14 OR $14 IS NULL)
   AND (f.tags LIKE $15 ESCAPE '\' OR $15 IS NULL)
   AND (e.uid LIKE $16 ESCAPE '\' OR f.tags LIKE $16 ESCAPE '\'
        OR f.account LIKE $16 ESCAPE '\' OR f.ip_text LIKE $16 ESCAPE '\' OR $16 IS NULL)
 ORDER BY f.last_seen_ms DESC, f.id DESC LIMIT $17;

-- name: FINDING_LIST_BY_SCORE
SELECT f.id, f.uid, s.name AS spec, e.uid AS entity, f.ip, f.status, f.verdict,
       f.verdict_source, f.assignee, f.tags, f.score, f.percentile, f.entity_known, f.first_seen_ms AS first_seen,
       f.last_seen_ms AS last_seen, f.sightings, f.observations, f.account, f.region,
       m.uid AS model, f.version, f.created_ms AS created, f.updated_ms AS updated, f.seq
  FROM finding f JOIN spec s ON s.id = f.spec_id JOIN entity e ON e.id = f.entity_id
  JOIN model m ON m.id = f.model_id
 WHERE (f.rank, f.score, f.id) < ($1, $2, $3)
   AND ((1 << f.status) & $4) <> 0
   AND ((1 << COALESCE(f.verdict, 30)) & $5) <> 0
   AND (s.name = $6 OR $6 IS NULL)
   AND (e.uid = $7 OR $7 IS NULL)
   AND (substr(e.uid, 1, length($8)) = $8 OR $8 IS NULL)
   AND (f.ip BETWEEN $9 AND $10 OR $9 IS NULL)
   AND (f.score >= $11 OR $11 IS NULL)
   AND COALESCE(f.percentile, -1) >= $12 AND f.rank >= $12 - 6
   AND f.last_seen_ms >= $13
   AND f.last_seen_ms < $14
   AND (COALESCE(f.assignee, '') = $15 OR $15 IS NULL)
   AND (f.tags LIKE $16 ESCAPE '\' OR $16 IS NULL)
   AND (e.uid LIKE $17 ESCAPE '\' OR f.tags LIKE $17 ESCAPE '\'
        OR f.account LIKE $17 ESCAPE '\' OR f.ip_text LIKE $17 ESCAPE '\' OR $17 IS NULL)
 ORDER BY f.rank DESC, f.score DESC, f.id DESC LIMIT $18;

-- The same of one entity, and of one address: by indexes of their own.
-- name: FINDING_LIST_OF_ENTITY_BY_TIME
SELECT f.id, f.uid, s.name AS spec, e.uid AS entity, f.ip, f.status, f.verdict,
       f.verdict_source, f.assignee, f.tags, f.score, f.percentile, f.entity_known, f.first_seen_ms AS first_seen,
       f.last_seen_ms AS last_seen, f.sightings, f.observations, f.account, f.region,
       m.uid AS model, f.version, f.created_ms AS created, f.updated_ms AS updated, f.seq
  FROM finding f JOIN spec s ON s.id = f.spec_id JOIN entity e ON e.id = f.entity_id
  JOIN model m ON m.id = f.model_id
 WHERE f.entity_id = (SELECT id FROM entity WHERE uid = $1)
   AND (f.last_seen_ms, f.id) < ($2, $3)
   AND ((1 << f.status) & $4) <> 0
   AND ((1 << COALESCE(f.verdict, 30)) & $5) <> 0
   AND (s.name = $6 OR $6 IS NULL)
   AND (e.uid = $7 OR $7 IS NULL)
   AND (substr(e.uid, 1, length($8)) = $8 OR $8 IS NULL)
   AND (f.ip BETWEEN $9 AND $10 OR $9 IS NULL)
   AND (f.score >= $11 OR $11 IS NULL)
   AND COALESCE(f.percentile, -1) >= $12
   AND f.last_seen_ms >= $13
   AND f.last_seen_ms < $14
   AND (COALESCE(f.assignee, '') = $15 OR $15 IS NULL)
   AND (f.tags LIKE $16 ESCAPE '\' OR $16 IS NULL)
   AND (e.uid LIKE $17 ESCAPE '\' OR f.tags LIKE $17 ESCAPE '\'
        OR f.account LIKE $17 ESCAPE '\' OR f.ip_text LIKE $17 ESCAPE '\' OR $17 IS NULL)
 ORDER BY f.last_seen_ms DESC, f.id DESC LIMIT $18;

-- name: FINDING_LIST_OF_IP_BY_TIME
SELECT f.id, f.uid, s.name AS spec, e.uid AS entity, f.ip, f.status, f.verdict,
       f.verdict_source, f.assignee, f.tags, f.score, f.percentile, f.entity_known, f.first_seen_ms AS first_seen,
       f.last_seen_ms AS last_seen, f.sightings, f.observations, f.account, f.region,
       m.uid AS model, f.version, f.created_ms AS created, f.updated_ms AS updated, f.seq
  FROM finding f JOIN spec s ON s.id = f.spec_id JOIN entity e ON e.id = f.entity_id
  JOIN model m ON m.id = f.model_id
 WHERE f.ip = $1
   AND (f.last_seen_ms, f.id) < ($2, $3)
   AND ((1 << f.status) & $4) <> 0
   AND ((1 << COALESCE(f.verdict, 30)) & $5) <> 0
   AND (s.name = $6 OR $6 IS NULL)
   AND (e.uid = $7 OR $7 IS NULL)
   AND (substr(e.uid, 1, length($8)) = $8 OR $8 IS NULL)
   AND (f.ip BETWEEN $9 AND $10 OR $9 IS NULL)
   AND (f.score >= $11 OR $11 IS NULL)
   AND COALESCE(f.percentile, -1) >= $12
   AND f.last_seen_ms >= $13
   AND f.last_seen_ms < $14
   AND (COALESCE(f.assignee, '') = $15 OR $15 IS NULL)
   AND (f.tags LIKE $16 ESCAPE '\' OR $16 IS NULL)
   AND (e.uid LIKE $17 ESCAPE '\' OR f.tags LIKE $17 ESCAPE '\'
        OR f.account LIKE $17 ESCAPE '\' OR f.ip_text LIKE $17 ESCAPE '\' OR $17 IS NULL)
 ORDER BY f.last_seen_ms DESC, f.id DESC LIMIT $18;

-- name: FINDING_LIST_OF_ENTITY_BY_SCORE
SELECT f.id, f.uid, s.name AS spec, e.uid AS entity, f.ip, f.status, f.verdict,
       f.verdict_source, f.assignee, f.tags, f.score, f.percentile, f.entity_known, f.first_seen_ms AS first_seen,
       f.last_seen_ms AS last_seen, f.sightings, f.observations, f.account, f.region,
       m.uid AS model, f.version, f.created_ms AS created, f.updated_ms AS updated, f.seq
  FROM finding f JOIN spec s ON s.id = f.spec_id JOIN entity e ON e.id = f.entity_id
  JOIN model m ON m.id = f.model_id
 WHERE f.entity_id = (SELECT id FROM entity WHERE uid = $1)
   AND (f.rank, f.score, f.id) < ($2, $3, $4)
   AND ((1 << f.status) & $5) <> 0
   AND ((1 << COALESCE(f.verdict, 30)) & $6) <> 0
   AND (s.name = $7 OR $7 IS NULL)
   AND (e.uid = $8 OR $8 IS NULL)
   AND (substr(e.uid, 1, length($9)) = $9 OR $9 IS NULL)
   AND (f.ip BETWEEN $10 AND $11 OR $10 IS NULL)
   AND (f.score >= $12 OR $12 IS NULL)
   AND COALESCE(f.percentile, -1) >= $13 AND f.rank >= $13 - 6
   AND f.last_seen_ms >= $14
   AND f.last_seen_ms < $15
   AND (COALESCE(f.assignee, '') = $16 OR $16 IS NULL)
   AND (f.tags LIKE $17 ESCAPE '\' OR $17 IS NULL)
   AND (e.uid LIKE $18 ESCAPE '\' OR f.tags LIKE $18 ESCAPE '\'
        OR f.account LIKE $18 ESCAPE '\' OR f.ip_text LIKE $18 ESCAPE '\' OR $18 IS NULL)
 ORDER BY f.rank DESC, f.score DESC, f.id DESC LIMIT $19;

-- name: FINDING_LIST_OF_IP_BY_SCORE
SELECT f.id, f.uid, s.name AS spec, e.uid AS entity, f.ip, f.status, f.verdict,
       f.verdict_source, f.assignee, f.tags, f.score, f.percentile, f.entity_known, f.first_seen_ms AS first_seen,
       f.last_seen_ms AS last_seen, f.sightings, f.observations, f.account, f.region,
       m.uid AS model, f.version, f.created_ms AS created, f.updated_ms AS updated, f.seq
  FROM finding f JOIN spec s ON s.id = f.spec_id JOIN entity e ON e.id = f.entity_id
  JOIN model m ON m.id = f.model_id
 WHERE f.ip = $1
   AND (f.rank, f.score, f.id) < ($2, $3, $4)
   AND ((1 << f.status) & $5) <> 0
   AND ((1 << COALESCE(f.verdict, 30)) & $6) <> 0
   AND (s.name = $7 OR $7 IS NULL)
   AND (e.uid = $8 OR $8 IS NULL)
   AND (substr(e.uid, 1, length($9)) = $9 OR $9 IS NULL)
   AND (f.ip BETWEEN $10 AND $11 OR $10 IS NULL)
   AND (f.score >= $12 OR $12 IS NULL)
   AND COALESCE(f.percentile, -1) >= $13 AND f.rank >= $13 - 6
   AND f.last_seen_ms >= $14
   AND f.last_seen_ms < $15
   AND (COALESCE(f.assignee, '') = $16 OR $16 IS NULL)
   AND (f.tags LIKE $17 ESCAPE '\' OR $17 IS NULL)
   AND (e.uid LIKE $18 ESCAPE '\' OR f.tags LIKE $18 ESCAPE '\'
        OR f.account LIKE $18 ESCAPE '\' OR f.ip_text LIKE $18 ESCAPE '\' OR $18 IS NULL)
 ORDER BY f.rank DESC, f.score DESC, f.id DESC LIMIT $19;

-- name: FINDING_WHY
SELECT ms.threshold, m.detector, x.body AS explanation
  FROM finding f JOIN model m ON m.id = f.model_id LEFT JOIN explanation x ON x.finding_id = f.id
  LEFT JOIN model_spec ms ON ms.model_id = f.model_id AND ms.spec_id = f.spec_id
 WHERE f.id = $1;

-- name: FINDING_EXISTS
SELECT id FROM finding WHERE id = $1;

-- name: FINDING_COUNT
SELECT COUNT(*) FILTER (WHERE status = 0) AS new_, COUNT(*) FILTER (WHERE status = 1) AS in_progress,
       COUNT(*) FILTER (WHERE status = 2) AS suppressed, COUNT(*) FILTER (WHERE status = 3) AS resolved
  FROM finding;

-- name: FINDING_TRIAGE
-- mode: write
UPDATE finding SET status = $1, verdict = $2, verdict_source = $3, assignee = $4, tags = $5,
       version = version + 1, updated_ms = $6, seq = $7
 WHERE id = $8;

-- name: FINDING_VERDICTS_LATELY
-- mode: write
SELECT COUNT(*) FROM (SELECT time_ms, actor, kind, body FROM change ORDER BY seq DESC LIMIT $1) newest
 WHERE time_ms >= $2 AND actor = $3 AND kind = $4 AND body LIKE '%"verdict":%';

-- name: FINDING_FIND
-- mode: write
SELECT id, status, verdict, score, model_id FROM finding
 WHERE spec_id = $1 AND entity_id = $2 AND ip = $3;

-- name: FINDING_INSERT
-- mode: write
INSERT INTO finding (uid, spec_id, entity_id, ip, ip_text, model_id, status, verdict, assignee,
       tags, score, percentile, rank, entity_known, first_seen_ms, last_seen_ms, sightings,
       observations, account, region, version, created_ms, updated_ms, seq)
VALUES ($1, $2, $3, $4, $5, $6, 0, NULL, NULL, '[]', $7, $8, $9, $10, $11, $12, $13, $14, $15,
       $16, 1, $17, $17, $18)
RETURNING id;

-- name: FINDING_SIGHTED
-- mode: write
UPDATE finding SET status = $1,
       first_seen_ms = CASE WHEN first_seen_ms < $2 THEN first_seen_ms ELSE $2 END,
       last_seen_ms = CASE WHEN last_seen_ms > $3 THEN last_seen_ms ELSE $3 END,
       sightings = sightings + $4,
       observations = observations + $5, version = version + 1, updated_ms = $6, seq = $7
 WHERE id = $8;

-- name: FINDING_HIGHER
-- mode: write
UPDATE finding SET score = $1, percentile = $2, rank = $3, model_id = $4, entity_known = $5
 WHERE id = $6;

-- name: FINDING_EXPLAIN
-- mode: write
INSERT INTO explanation (finding_id, body) VALUES ($1, $2)
ON CONFLICT (finding_id) DO UPDATE SET body = excluded.body;

-- Of findings that are new.
-- name: FINDING_EXPLAIN_NEW
-- mode: write
INSERT INTO explanation (finding_id, body) VALUES ($1, $2);
-- postgres:
COPY explanation (finding_id, body) FROM STDIN;

-- name: FINDING_SEQ
-- mode: write
UPDATE finding SET seq = $1 WHERE id = $2;
