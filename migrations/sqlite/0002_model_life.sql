-- Where a verdict came from, and the life of models: candidate, shadow, active, retired.

-- Index into FINDING_VERDICT_SOURCE_WORDS; what is learned depends on it.
ALTER TABLE finding ADD COLUMN verdict_source INTEGER;

ALTER TABLE model ADD COLUMN state INTEGER NOT NULL DEFAULT 0; -- index into MODEL_STATE_WORDS
ALTER TABLE model ADD COLUMN path TEXT;                        -- of its file, null without one
ALTER TABLE model ADD COLUMN activated_ms INTEGER;             -- the last time it became active

-- What a day looked like in training: quantiles of all scores as in model_spec.quantiles, shares of
-- entities without history and of networks that the entity had not used.
ALTER TABLE model_spec ADD COLUMN usual_quantiles BLOB;
ALTER TABLE model_spec ADD COLUMN unknown_share REAL;
ALTER TABLE model_spec ADD COLUMN unseen_share REAL;

-- Of the observations: those of entities without history, and those in a /16 (IPv6 /32) that the
-- entity has not used.
ALTER TABLE rollup_hour ADD COLUMN unknown_entities INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hour ADD COLUMN unseen_networks INTEGER NOT NULL DEFAULT 0;

-- What a shadow makes of the pairs that the active model scored, by day.
CREATE TABLE comparison (
    day_ms      INTEGER NOT NULL,
    spec_id     INTEGER NOT NULL,
    active_id   INTEGER NOT NULL,
    shadow_id   INTEGER NOT NULL,
    pairs       INTEGER NOT NULL,
    by_both     INTEGER NOT NULL, -- flagged by both
    only_active INTEGER NOT NULL,
    only_shadow INTEGER NOT NULL,
    PRIMARY KEY (day_ms, spec_id, active_id, shadow_id)
) STRICT, WITHOUT ROWID;

-- Pairs that one of the two flagged and the other did not; the first of each.
CREATE TABLE difference (
    id             INTEGER PRIMARY KEY,
    shadow_id      INTEGER NOT NULL,
    active_id      INTEGER NOT NULL,
    spec_id        INTEGER NOT NULL,
    entity_id      INTEGER NOT NULL,
    ip             BLOB NOT NULL,
    time_ms        INTEGER NOT NULL,
    active_score   REAL NOT NULL,
    shadow_score   REAL NOT NULL,
    shadow_flagged INTEGER NOT NULL,
    UNIQUE (shadow_id, active_id, spec_id, entity_id, ip)
) STRICT;

-- Totals that grow with what is stored and are read often.
CREATE TABLE counter (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counter SELECT 'observations', COALESCE(SUM(observations), 0) FROM rollup_hour;
INSERT INTO counter SELECT 'flagged', COALESCE(SUM(flagged), 0) FROM rollup_hour;
