-- name: ARRIVAL_LAG_SERIES
SELECT hour_ms AS hour, CAST(SUM(stored) AS BIGINT) AS stored, CAST(SUM(failed) AS BIGINT) AS failed,
       MAX(max_ms) AS max_ms, CAST(SUM(bin_0) AS BIGINT) AS bin_0,
       CAST(SUM(bin_1) AS BIGINT) AS bin_1, CAST(SUM(bin_2) AS BIGINT) AS bin_2,
       CAST(SUM(bin_3) AS BIGINT) AS bin_3, CAST(SUM(bin_4) AS BIGINT) AS bin_4,
       CAST(SUM(bin_5) AS BIGINT) AS bin_5, CAST(SUM(bin_6) AS BIGINT) AS bin_6,
       CAST(SUM(bin_7) AS BIGINT) AS bin_7, CAST(SUM(bin_8) AS BIGINT) AS bin_8,
       CAST(SUM(bin_9) AS BIGINT) AS bin_9
  FROM arrival_lag
 WHERE hour_ms >= $1 AND hour_ms < $2 AND (source = $3 OR $3 IS NULL)
 GROUP BY hour_ms ORDER BY hour_ms;

-- name: ARRIVAL_SOURCES
SELECT s.source, CAST(COALESCE(n.stored, 0) AS BIGINT) AS stored,
       CAST(COALESCE(n.failed, 0) AS BIGINT) AS failed, s.stored_ms AS last_stored,
       s.made_ms AS newest_object, s.event_ms AS newest_event, s.lag_ms, s.error_ms AS last_error,
       s.error_code, s.error, s.error_object
  FROM arrival_source s
  LEFT JOIN (SELECT source, SUM(stored) AS stored, SUM(failed) AS failed
               FROM arrival_lag WHERE hour_ms >= $1 GROUP BY source) n ON n.source = s.source
 ORDER BY s.source LIMIT $2;

-- name: ARRIVAL_HOUR_NEWEST
SELECT hour_ms FROM arrival_hour WHERE hour_ms <= $1 ORDER BY hour_ms DESC LIMIT 1;

-- name: ARRIVAL_HOURS
SELECT source, region, account, hour_ms AS hour
  FROM arrival_hour WHERE hour_ms >= $1 AND hour_ms <= $2
 ORDER BY source, region, account, hour_ms LIMIT $3;

-- name: COUNTER_LIST
SELECT name, value FROM counter ORDER BY name LIMIT $1;
