-- Observations that were not flagged, packed: each row holds up to ten thousand of one day (UTC, by
-- last_ms), sorted by entity and address. Flagged ones, and those that came a few at a time, are rows
-- of observation. filter and body are the formats of server/store/chunk.h.
-- A partition for each day, so that a day is dropped whole; what is of no such day is in the rest.
CREATE SEQUENCE observation_chunk_id;
CREATE TABLE observation_chunk (
    id          BIGINT NOT NULL DEFAULT nextval('observation_chunk_id'),
    day_ms      BIGINT NOT NULL, -- start of the day of every row's last_ms
    level       BIGINT NOT NULL, -- 0 as it came, 1 merged with others of its day
    rows        BIGINT NOT NULL,
    entity_low  BIGINT NOT NULL,
    entity_high BIGINT NOT NULL,
    first_ms    BIGINT NOT NULL, -- the smallest of its rows
    filter      BYTEA NOT NULL,
    body        BYTEA NOT NULL,
    PRIMARY KEY (id, day_ms)
) PARTITION BY RANGE (day_ms);
ALTER SEQUENCE observation_chunk_id OWNED BY observation_chunk.id;
-- They are dense already, and a part of a value that is not compressed can be read alone.
ALTER TABLE observation_chunk ALTER COLUMN filter SET STORAGE EXTERNAL;
ALTER TABLE observation_chunk ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX observation_chunk_of_day ON observation_chunk (day_ms, entity_low, entity_high) INCLUDE (id);
CREATE INDEX observation_chunk_to_merge ON observation_chunk (day_ms, id) WHERE level = 0;
CREATE TABLE observation_chunk_rest PARTITION OF observation_chunk DEFAULT;

-- Makes the partition of a day and, ahead of its rows, that of the next: how many are new. A day whose
-- rows are in the rest stays there, as does one that is far from today: times are what callers say they
-- are.
CREATE FUNCTION observation_chunk_day(first BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    today BIGINT := extract(epoch FROM now()) * 1000;
    made BIGINT := 0;
    day BIGINT;
    name TEXT;
BEGIN
    FOR day IN SELECT generate_series(first, first + 86400000, 86400000) LOOP
        name := 'observation_chunk_' || to_char(to_timestamp(day / 1000) AT TIME ZONE 'UTC', 'YYYYMMDD');
        CONTINUE WHEN day < today - 400 * 86400000::BIGINT OR day > today + 8 * 86400000::BIGINT
            OR to_regclass(quote_ident(current_schema()) || '.' || name) IS NOT NULL
            OR EXISTS (SELECT 1 FROM observation_chunk_rest WHERE day_ms = day);
        EXECUTE format('CREATE TABLE %I PARTITION OF observation_chunk FOR VALUES FROM (%s) TO (%s)',
                       name, day, day + 86400000);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

-- Drops the days before one: the number of rows of observation_chunk that went.
CREATE FUNCTION observation_chunk_drop(before BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    part RECORD;
    gone BIGINT := 0;
    more BIGINT;
BEGIN
    FOR part IN
        SELECT c.relname AS name, c.oid AS oid
          FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'observation_chunk'::regclass AND c.relname ~ '^observation_chunk_[0-9]{8}$'
           AND c.relname < 'observation_chunk_'
               || to_char(to_timestamp(before / 1000) AT TIME ZONE 'UTC', 'YYYYMMDD')
         ORDER BY c.relname
    LOOP
        EXECUTE format('SELECT COUNT(*) FROM %I', part.name) INTO more;
        gone := gone + more;
        EXECUTE format('DROP TABLE %I', part.name);
    END LOOP;
    DELETE FROM observation_chunk_rest WHERE day_ms < before;
    GET DIAGNOSTICS more = ROW_COUNT;
    RETURN gone + more;
END $$;

-- The last row of observation that was packed, with all before it that were not flagged.
INSERT INTO counter VALUES ('observations_packed', 0);
