-- The packed observations over the nodes of a Citus cluster: psql -f citus.sql, once, as a superuser, in
-- the database that `pairwatch migrate` made and before anything was stored.
--
-- Only observation_chunk is distributed. It holds nearly all bytes (docs/sizing.md), is written by
-- appending and read by key. Everything else is smaller (pair_chunk holds each pair once), joined with
-- each other, and written under one lock: it stays on the coordinator.
--
-- Written by the documentation of Citus and never run on one; what it asks of the table is tested on the
-- schema (tests/unit/store/postgres_citus_test.c).
--
-- The key is id, not day_ms and not an entity. By day all writing would go to one node; a chunk holds
-- many entities. By id writing goes to all of them in turn; the search for the chunks that may hold an
-- entity asks every shard's index at the same time; and a chunk is then read from the one shard that has
-- it. It is part of the primary key (id, day_ms), as Citus wants. Partitions by day stay what they are
-- on every node, so retention drops days as before.
CREATE EXTENSION IF NOT EXISTS citus;
SELECT create_distributed_table('observation_chunk', 'id', shard_count => 32);
