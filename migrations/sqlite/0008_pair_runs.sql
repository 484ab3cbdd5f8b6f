-- What look-ups read. A chunk of observations whose pairs are in no run yet is a source. A run holds
-- each of its pairs once (server/store/pair_run.h), sorted, in chunks; runs are merged into larger ones.
CREATE TABLE pair_run (
    id        INTEGER PRIMARY KEY,
    level     INTEGER NOT NULL, -- 1 of observations, n + 1 of runs of level n
    state     INTEGER NOT NULL, -- 0 being made, 1 whole, 2 merged or let go of: its chunks may go
    into_id   INTEGER, -- the run that is being made of it
    entity_at INTEGER NOT NULL, -- while it is being made: the last pair that is in it
    ip_at     BLOB NOT NULL,
    pairs     INTEGER NOT NULL,
    sightings INTEGER NOT NULL,
    last_ms   INTEGER NOT NULL -- the largest of its pairs
) STRICT;

CREATE TABLE pair_chunk (
    id         INTEGER PRIMARY KEY,
    run_id     INTEGER NOT NULL,
    entity_low INTEGER NOT NULL, -- the first pair
    ip_low     BLOB NOT NULL,
    pairs      INTEGER NOT NULL,
    body       BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX pair_chunk_place ON pair_chunk (run_id, entity_low, ip_low);

CREATE TABLE pair_source (
    chunk_id    INTEGER PRIMARY KEY, -- of observation_chunk
    run_id      INTEGER, -- the run that is being made of it
    day_ms      INTEGER NOT NULL,
    rows        INTEGER NOT NULL,
    entity_low  INTEGER NOT NULL,
    entity_high INTEGER NOT NULL,
    filter      BLOB NOT NULL
) STRICT;
CREATE INDEX pair_source_free ON pair_source (chunk_id, rows) WHERE run_id IS NULL;
CREATE INDEX pair_source_of_run ON pair_source (run_id, entity_low, entity_high, day_ms);
CREATE INDEX pair_source_of_entity ON pair_source (entity_low, entity_high, day_ms);

INSERT INTO pair_source (chunk_id, day_ms, rows, entity_low, entity_high, filter)
SELECT id, day_ms, rows, entity_low, entity_high, filter FROM observation_chunk;
DROP INDEX observation_chunk_to_merge;

-- Observations of days before it were let go of: look-ups tell nothing of pairs last seen earlier.
INSERT INTO counter VALUES ('pairs_since_ms', 0);
