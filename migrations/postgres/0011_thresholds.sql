-- How a model's thresholds were set, so that one that follows the rolling window can be told, and
-- which threshold each of two models held a pair against.

ALTER TABLE model_spec ADD COLUMN rule BIGINT;    -- index into WINDOW_RULE_WORDS; null = not told
ALTER TABLE model_spec ADD COLUMN rule_value DOUBLE PRECISION; -- pairs a day, a percentile, or a score
ALTER TABLE model_spec ADD COLUMN rule_least DOUBLE PRECISION; -- what the window never goes below, or null

ALTER TABLE difference ADD COLUMN active_threshold DOUBLE PRECISION;
ALTER TABLE difference ADD COLUMN shadow_threshold DOUBLE PRECISION;
