-- The tables of the store. Times are milliseconds since 1970 UTC; addresses are 16 big-endian
-- bytes, IPv4 mapped, so a network is a range of bytes.

-- Small dictionaries, so that the large table holds integers.
CREATE TABLE entity (
    id  INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE spec (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Scorers whose results are stored.
CREATE TABLE model (
    id            INTEGER PRIMARY KEY,
    uid           TEXT NOT NULL UNIQUE,
    detector      TEXT NOT NULL,
    info          TEXT NOT NULL, -- JSON object
    registered_ms INTEGER NOT NULL,
    last_used_ms  INTEGER
) STRICT;

CREATE TABLE model_spec (
    model_id    INTEGER NOT NULL REFERENCES model (id),
    spec_id     INTEGER NOT NULL REFERENCES spec (id),
    threshold   REAL NOT NULL,
    sample_size INTEGER NOT NULL,
    quantiles   BLOB, -- 1001 little-endian floats, or null for an outside model
    PRIMARY KEY (model_id, spec_id)
) STRICT;

-- The ledger: what was read, and how it ended. An object is one (bucket, key, etag).
CREATE TABLE object (
    id          INTEGER PRIMARY KEY,
    bucket      TEXT NOT NULL,
    key         TEXT NOT NULL,
    etag        TEXT NOT NULL,
    size_bytes  INTEGER NOT NULL,
    rows        INTEGER NOT NULL,
    pairs       INTEGER NOT NULL,
    scored      INTEGER NOT NULL,
    unscored    TEXT NOT NULL, -- JSON object: reason to count of rows
    error_code  TEXT,          -- null when it was stored
    error       TEXT,
    attempts    INTEGER NOT NULL,
    finished_ms INTEGER NOT NULL,
    UNIQUE (bucket, key, etag)
) STRICT;
CREATE INDEX object_failed ON object (id) WHERE error_code IS NOT NULL;

-- POSTs that were answered, by the caller's Idempotency-Key.
CREATE TABLE request (
    origin     TEXT NOT NULL,
    key        TEXT NOT NULL,
    digest     TEXT NOT NULL,
    result     TEXT NOT NULL, -- JSON: what was answered
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (origin, key)
) STRICT;
CREATE INDEX request_created ON request (created_ms);

-- What is triaged: one row for each flagged (spec, entity, address).
CREATE TABLE finding (
    id               INTEGER PRIMARY KEY,
    uid              TEXT NOT NULL UNIQUE,
    spec_id          INTEGER NOT NULL REFERENCES spec (id),
    entity_id        INTEGER NOT NULL REFERENCES entity (id),
    ip               BLOB NOT NULL,
    ip_text          TEXT NOT NULL,    -- for searching
    model_id         INTEGER NOT NULL REFERENCES model (id),
    status           INTEGER NOT NULL, -- index into FINDING_STATUS_WORDS
    verdict          INTEGER,          -- index into FINDING_VERDICT_WORDS
    assignee         TEXT,
    tags             TEXT NOT NULL,    -- JSON array, sorted
    score            REAL NOT NULL,    -- of the highest sighting
    percentile       REAL,
    rank             REAL NOT NULL,    -- whole percent up to 95, -1 = unknown: what "by score" sorts by first
    entity_known     INTEGER NOT NULL,
    first_seen_ms    INTEGER NOT NULL,
    last_seen_ms     INTEGER NOT NULL,
    sightings        INTEGER NOT NULL,
    observations     INTEGER NOT NULL,
    account          TEXT,
    region           TEXT,
    version          INTEGER NOT NULL,
    created_ms       INTEGER NOT NULL,
    updated_ms       INTEGER NOT NULL,
    seq              INTEGER NOT NULL, -- of its last change
    UNIQUE (spec_id, entity_id, ip)
) STRICT;
CREATE INDEX finding_by_status ON finding (status, spec_id, first_seen_ms); -- what is counted
CREATE INDEX finding_by_time ON finding (last_seen_ms, id);
CREATE INDEX finding_by_score ON finding (rank, score, id);
CREATE INDEX finding_by_entity ON finding (entity_id);
CREATE INDEX finding_by_ip ON finding (ip);

-- What the model knew of the entity when it saw the highest sighting. Apart from the finding, which
-- would be four times as long and as slow to search with it.
CREATE TABLE explanation (
    finding_id INTEGER PRIMARY KEY REFERENCES finding (id),
    body       TEXT NOT NULL -- JSON object
) STRICT;

CREATE TABLE note (
    id         INTEGER PRIMARY KEY,
    finding_id INTEGER NOT NULL REFERENCES finding (id),
    author     TEXT NOT NULL,
    time_ms    INTEGER NOT NULL,
    text       TEXT NOT NULL
) STRICT;
CREATE INDEX note_of_finding ON note (finding_id, id);

-- Every scored sighting, appended and never changed. Only flagged rows are indexed: an index on
-- every pair costs ten times the writing.
CREATE TABLE observation (
    id         INTEGER PRIMARY KEY,
    entity_id  INTEGER NOT NULL,
    ip         BLOB NOT NULL,
    spec_id    INTEGER NOT NULL,
    model_id   INTEGER NOT NULL,
    object_id  INTEGER, -- null when it came over HTTP
    first_ms   INTEGER NOT NULL,
    last_ms    INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    score      REAL NOT NULL,
    percentile REAL,
    finding_id INTEGER
) STRICT;
CREATE INDEX observation_flagged ON observation (finding_id, last_ms) WHERE finding_id IS NOT NULL;

-- Counts by hour. The histogram holds ROLLUP_BINS little-endian 32-bit counts over the score.
CREATE TABLE rollup_hour (
    hour_ms      INTEGER NOT NULL,
    spec_id      INTEGER NOT NULL,
    model_id     INTEGER NOT NULL,
    observations INTEGER NOT NULL,
    events       INTEGER NOT NULL,
    flagged      INTEGER NOT NULL,
    histogram    BLOB NOT NULL,
    PRIMARY KEY (hour_ms, spec_id, model_id)
) STRICT, WITHOUT ROWID;

-- Every visible change, in commit order without gaps: the feed and the audit trail. Each row's
-- hash covers the one before it.
CREATE TABLE change (
    seq        INTEGER PRIMARY KEY,
    time_ms    INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    kind       INTEGER NOT NULL, -- index into CHANGE_KIND_WORDS
    finding_id INTEGER,
    body       TEXT NOT NULL,    -- JSON object
    hash       BLOB NOT NULL
) STRICT;
CREATE INDEX change_of_finding ON change (finding_id, seq) WHERE finding_id IS NOT NULL;

CREATE TABLE user (
    id                   INTEGER PRIMARY KEY,
    name                 TEXT NOT NULL UNIQUE,
    password_hash        TEXT NOT NULL,
    role                 INTEGER NOT NULL,
    disabled             INTEGER NOT NULL,
    must_change_password INTEGER NOT NULL,
    created_ms           INTEGER NOT NULL,
    last_sign_in_ms      INTEGER
) STRICT;

CREATE TABLE session (
    digest     BLOB PRIMARY KEY, -- SHA-256 of the cookie's secret
    user_id    INTEGER NOT NULL REFERENCES user (id),
    csrf       TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_of_user ON session (user_id);

CREATE TABLE token (
    id           INTEGER PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    role         INTEGER NOT NULL,
    prefix       TEXT NOT NULL,
    digest       BLOB NOT NULL UNIQUE, -- SHA-256 of the secret
    created_ms   INTEGER NOT NULL,
    last_used_ms INTEGER,
    expires_ms   INTEGER,
    revoked      INTEGER NOT NULL
) STRICT;
