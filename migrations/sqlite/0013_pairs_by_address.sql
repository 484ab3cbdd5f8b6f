-- Runs of pairs in the order of addresses, beside those in the order of entities, and the events of
-- each day in both (server/store/pair_run.h).
ALTER TABLE pair_run ADD COLUMN by_address INTEGER NOT NULL DEFAULT 0; -- 0: its chunks are pair_chunk
-- state 3: written beside a run that is being made, and whole with it.
ALTER TABLE pair_run ADD COLUMN beside_id INTEGER;

CREATE TABLE address_chunk (
    id         INTEGER PRIMARY KEY,
    run_id     INTEGER NOT NULL,
    entity_low INTEGER NOT NULL, -- the first pair
    ip_low     BLOB NOT NULL,
    pairs      INTEGER NOT NULL,
    body       BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX address_chunk_place ON address_chunk (run_id, ip_low, entity_low);

-- The runs that there are know of no days. They are let go of, and made again of the observations that
-- are kept, a step at a time; until then these are read instead.
UPDATE pair_run SET state = 2;
DELETE FROM pair_source;
INSERT INTO pair_source (chunk_id, day_ms, rows, entity_low, entity_high, filter)
SELECT id, day_ms, rows, entity_low, entity_high, x'' FROM observation_chunk;
