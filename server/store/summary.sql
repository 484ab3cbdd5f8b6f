-- name: SUMMARY_STATUS
SELECT COUNT(*) FILTER (WHERE f.status = 0) AS new_,
       COUNT(*) FILTER (WHERE f.status = 1) AS in_progress,
       COUNT(*) FILTER (WHERE f.status = 2) AS suppressed,
       COUNT(*) FILTER (WHERE f.status = 3) AS resolved,
       COUNT(*) FILTER (WHERE f.status < 2 AND f.first_seen_ms > CAST($1 AS BIGINT) - 3600000) AS under_1h,
       COUNT(*) FILTER (WHERE f.status < 2 AND f.first_seen_ms <= $1 - 3600000
                          AND f.first_seen_ms > $1 - 86400000) AS under_1d,
       COUNT(*) FILTER (WHERE f.status < 2 AND f.first_seen_ms <= $1 - 86400000
                          AND f.first_seen_ms > $1 - 604800000) AS under_7d,
       COUNT(*) FILTER (WHERE f.status < 2 AND f.first_seen_ms <= $1 - 604800000) AS older
  FROM finding f JOIN spec s ON s.id = f.spec_id
 WHERE s.name = $2 OR $2 IS NULL;

-- name: SUMMARY_DAY
SELECT COALESCE(SUM(r.flagged), 0) AS flagged, COALESCE(SUM(r.observations), 0) AS observations
  FROM rollup_hour r JOIN spec s ON s.id = r.spec_id
 WHERE r.hour_ms >= $1 AND (s.name = $2 OR $2 IS NULL);

-- name: SUMMARY_ENTITIES
SELECT e.uid AS entity, COUNT(*) AS findings, MAX(f.percentile) AS max_percentile
  FROM finding f JOIN entity e ON e.id = f.entity_id JOIN spec s ON s.id = f.spec_id
 WHERE f.status < 2 AND (s.name = $1 OR $1 IS NULL)
 GROUP BY e.uid ORDER BY findings DESC, max_percentile DESC NULLS LAST, e.uid LIMIT $2;

-- name: SUMMARY_NETWORKS
SELECT network, COUNT(*) AS findings, COUNT(DISTINCT entity_id) AS entities FROM
       (SELECT CASE WHEN substr(f.ip, 1, 12) = $1 THEN substr(f.ip, 1, 15)
                    ELSE substr(f.ip, 1, 6) END AS network, f.entity_id
          FROM finding f JOIN spec s ON s.id = f.spec_id
         WHERE f.status < 2 AND (s.name = $2 OR $2 IS NULL)) AS open
 GROUP BY network ORDER BY findings DESC, entities DESC, network LIMIT $3;
