-- The findings of one entity and of one address, in both orders of the queue: as many as are wanted
-- are read, however many findings there are.
DROP INDEX finding_by_entity;
DROP INDEX finding_by_ip;
CREATE INDEX finding_of_entity_by_time ON finding (entity_id, last_seen_ms, id);
CREATE INDEX finding_of_entity_by_score ON finding (entity_id, rank, score, id);
CREATE INDEX finding_of_ip_by_time ON finding (ip, last_seen_ms, id);
CREATE INDEX finding_of_ip_by_score ON finding (ip, rank, score, id);
