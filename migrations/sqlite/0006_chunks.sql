-- Observations that were not flagged, packed: each row holds up to ten thousand of one day (UTC, by
-- last_ms), sorted by entity and address. Flagged ones, and those that came a few at a time, are rows
-- of observation. filter and body are the formats of server/store/chunk.h.
CREATE TABLE observation_chunk (
    id          INTEGER PRIMARY KEY,
    day_ms      INTEGER NOT NULL, -- start of the day of every row's last_ms
    level       INTEGER NOT NULL, -- 0 as it came, 1 merged with others of its day
    rows        INTEGER NOT NULL,
    entity_low  INTEGER NOT NULL,
    entity_high INTEGER NOT NULL,
    first_ms    INTEGER NOT NULL, -- the smallest of its rows
    filter      BLOB NOT NULL,
    body        BLOB NOT NULL
) STRICT;
CREATE INDEX observation_chunk_of_day ON observation_chunk (day_ms, entity_low, entity_high);
CREATE INDEX observation_chunk_to_merge ON observation_chunk (day_ms, id) WHERE level = 0;

-- The last row of observation that was packed, with all before it that were not flagged.
INSERT INTO counter VALUES ('observations_packed', 0);
