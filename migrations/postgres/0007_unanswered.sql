-- Sightings that no model may learn: refused traffic, and what nobody answered.
ALTER TABLE observation ADD COLUMN unanswered BIGINT NOT NULL DEFAULT 0; -- 0 or 1
