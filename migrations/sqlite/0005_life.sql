-- What is let go of: the chain of changes begins later, raw observations go to an archive.

-- The last change that was let go of; what is kept goes on from its hash. No row: all are there.
CREATE TABLE change_start (
    seq  INTEGER PRIMARY KEY,
    hash BLOB NOT NULL
) STRICT;

-- Observations on their way to the archive, and what is there: one object each. While body is
-- there, the object may not be: then it is written again, under the same name.
CREATE TABLE archive (
    id         INTEGER PRIMARY KEY,
    day_ms     INTEGER NOT NULL, -- UTC, of every row's last_ms
    rows       INTEGER NOT NULL,
    body       BLOB,             -- server/worker/archive.h; null once the object is durable
    path       TEXT,             -- of the object, and its SHA-256, once it is durable
    sha256     TEXT,
    created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX archive_pending ON archive (id) WHERE body IS NOT NULL;

-- Which objects the sightings of findings came from: these stay in the ledger.
CREATE INDEX observation_object ON observation (object_id) WHERE finding_id IS NOT NULL;

-- Hours before whole_since_ms may lack observations that were let go of; the others are whole. What
-- was let go of with rollups is still counted in observations and flagged.
INSERT INTO counter VALUES ('whole_since_ms', 0), ('observations_gone', 0), ('flagged_gone', 0);
