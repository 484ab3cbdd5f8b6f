-- How objects get here: notices that wait in the store, and what each object tells of its way.

-- Objects that somebody asked to be read: notices that came over HTTP, and failed objects to be
-- tried again. A row goes when its object is stored.
CREATE TABLE notice (
    id          INTEGER PRIMARY KEY,
    bucket      TEXT NOT NULL,
    key         TEXT NOT NULL,
    etag        TEXT NOT NULL,    -- '' = not said
    region      TEXT,
    size_bytes  INTEGER NOT NULL, -- 0 = not said
    time_ms     INTEGER,          -- when the object was made
    folder      INTEGER NOT NULL, -- 1: the bucket is a folder where a worker runs, not S3's
    origin      TEXT NOT NULL,    -- who asked, "token:lake"
    received_ms INTEGER NOT NULL,
    state       INTEGER NOT NULL, -- index into NOTICE_STATE_WORDS
    attempts    INTEGER NOT NULL, -- how often it was handed out
    ready_ms    INTEGER NOT NULL, -- when it may be handed out (again)
    holder      TEXT,             -- the worker that has it in hand until then
    error_code  TEXT,             -- of the last attempt
    error       TEXT,
    UNIQUE (bucket, key, etag)
) STRICT;
CREATE INDEX notice_ready ON notice (ready_ms, id) WHERE state < 2;
CREATE INDEX notice_held ON notice (holder) WHERE state = 1;
CREATE INDEX notice_dead ON notice (id) WHERE state = 2;

-- Workers, by what they say of themselves every few seconds.
CREATE TABLE worker (
    uid        TEXT PRIMARY KEY,
    host       TEXT NOT NULL,
    queue      TEXT NOT NULL,
    version    TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    seen_ms    INTEGER NOT NULL,
    in_flight  INTEGER NOT NULL -- objects in hand
) STRICT, WITHOUT ROWID;

-- Of the key, as Security Lake lays it out: aws/SOURCE/… or ext/NAME/…, region=, accountId=.
ALTER TABLE object ADD COLUMN source TEXT;
ALTER TABLE object ADD COLUMN region TEXT;
ALTER TABLE object ADD COLUMN account TEXT;
ALTER TABLE object ADD COLUMN folder INTEGER NOT NULL DEFAULT 0; -- as in notice
ALTER TABLE object ADD COLUMN made_ms INTEGER;                   -- when the object was made
ALTER TABLE object ADD COLUMN first_ms INTEGER;                  -- of its scored events
ALTER TABLE object ADD COLUMN last_ms INTEGER;

-- What came of each source. source '' = a key of another layout.
CREATE TABLE arrival_source (
    source           TEXT PRIMARY KEY,
    stored_ms        INTEGER, -- when the last object was stored
    made_ms          INTEGER, -- of the newest one
    event_ms         INTEGER, -- newest event
    lag_ms           INTEGER, -- of the object stored last
    error_ms         INTEGER, -- the last failure
    error_code       TEXT,
    error            TEXT,
    error_object     INTEGER
) STRICT, WITHOUT ROWID;

-- From an object's making to its being visible, by the hour in which it became so.
CREATE TABLE arrival_lag (
    hour_ms INTEGER NOT NULL,
    source  TEXT NOT NULL,
    stored  INTEGER NOT NULL,
    failed  INTEGER NOT NULL,
    max_ms  INTEGER NOT NULL,
    bin_0   INTEGER NOT NULL, -- by ARRIVAL_LAG_BOUNDS_S; of the objects whose making is known
    bin_1   INTEGER NOT NULL,
    bin_2   INTEGER NOT NULL,
    bin_3   INTEGER NOT NULL,
    bin_4   INTEGER NOT NULL,
    bin_5   INTEGER NOT NULL,
    bin_6   INTEGER NOT NULL,
    bin_7   INTEGER NOT NULL,
    bin_8   INTEGER NOT NULL,
    bin_9   INTEGER NOT NULL,
    PRIMARY KEY (hour_ms, source)
) STRICT, WITHOUT ROWID;

-- The hours that have events, for finding those that lack them. Kept for some weeks.
CREATE TABLE arrival_hour (
    hour_ms INTEGER NOT NULL,
    source  TEXT NOT NULL,
    region  TEXT NOT NULL,
    account TEXT NOT NULL,
    objects INTEGER NOT NULL,
    PRIMARY KEY (hour_ms, source, region, account)
) STRICT, WITHOUT ROWID;
