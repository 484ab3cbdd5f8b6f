-- What known entities' pairs scored of late, by day: a sample of the day's distinct pairs, those of
-- the smallest hashes. body is the format of server/store/window.h.
CREATE TABLE score_window (
    model_id BIGINT NOT NULL,
    spec_id  BIGINT NOT NULL,
    day_ms   BIGINT NOT NULL,
    body     BYTEA NOT NULL,
    PRIMARY KEY (model_id, spec_id, day_ms)
);
