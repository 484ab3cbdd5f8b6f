-- name: ARRIVAL_SOURCE_STORED
-- mode: write
INSERT INTO arrival_source (source, stored_ms, made_ms, event_ms, lag_ms) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (source) DO UPDATE
   SET stored_ms = excluded.stored_ms, lag_ms = COALESCE(excluded.lag_ms, arrival_source.lag_ms),
       made_ms = CASE WHEN excluded.made_ms > arrival_source.made_ms OR arrival_source.made_ms IS NULL
                      THEN excluded.made_ms ELSE arrival_source.made_ms END,
       event_ms = CASE WHEN excluded.event_ms > arrival_source.event_ms OR arrival_source.event_ms IS NULL
                       THEN excluded.event_ms ELSE arrival_source.event_ms END;

-- name: ARRIVAL_SOURCE_FAILED
-- mode: write
INSERT INTO arrival_source (source, error_ms, error_code, error, error_object)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (source) DO UPDATE
   SET error_ms = excluded.error_ms, error_code = excluded.error_code, error = excluded.error,
       error_object = excluded.error_object;

-- name: ARRIVAL_LAG_ADD
-- mode: write
INSERT INTO arrival_lag (hour_ms, source, stored, failed, max_ms, bin_0, bin_1, bin_2, bin_3, bin_4,
       bin_5, bin_6, bin_7, bin_8, bin_9)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (hour_ms, source) DO UPDATE
   SET stored = arrival_lag.stored + excluded.stored, failed = arrival_lag.failed + excluded.failed,
       max_ms = CASE WHEN excluded.max_ms > arrival_lag.max_ms THEN excluded.max_ms
                     ELSE arrival_lag.max_ms END,
       bin_0 = arrival_lag.bin_0 + excluded.bin_0, bin_1 = arrival_lag.bin_1 + excluded.bin_1,
       bin_2 = arrival_lag.bin_2 + excluded.bin_2, bin_3 = arrival_lag.bin_3 + excluded.bin_3,
       bin_4 = arrival_lag.bin_4 + excluded.bin_4, bin_5 = arrival_lag.bin_5 + excluded.bin_5,
       bin_6 = arrival_lag.bin_6 + excluded.bin_6, bin_7 = arrival_lag.bin_7 + excluded.bin_7,
       bin_8 = arrival_lag.bin_8 + excluded.bin_8, bin_9 = arrival_lag.bin_9 + excluded.bin_9;

-- name: ARRIVAL_HOUR_ADD
-- mode: write
INSERT INTO arrival_hour (hour_ms, source, region, account, objects) VALUES ($1, $2, $3, $4, 1)
ON CONFLICT (hour_ms, source, region, account) DO UPDATE
   SET objects = arrival_hour.objects + 1;

-- name: ARRIVAL_LAG_PURGE
-- mode: write
DELETE FROM arrival_lag WHERE hour_ms < $1;

-- name: ARRIVAL_HOUR_PURGE
-- mode: write
DELETE FROM arrival_hour WHERE hour_ms < $1;
