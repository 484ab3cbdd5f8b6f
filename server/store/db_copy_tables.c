#include "store/db_copy_tables.h"

#include "base/own.h"

const struct copied_table COPIED_TABLES[] = {
    {"entity", "id", "id", true},
    {"spec", "id", "id", true},
    {"model", "id", "id", true},
    {"model_spec", "model_id, spec_id", NULL, false},
    {"object", "id", "id", true},
    {"request", "origin, key", NULL, false},
    {"finding", "id", "id", true},
    {"explanation", "finding_id", "finding_id", false},
    {"note", "id", "id", true},
    {"observation", "id", "id", true},
    {"observation_chunk", "id", "id", true},
    {"pair_source", "chunk_id", "chunk_id", false},
    {"pair_run", "id", "id", true},
    {"pair_chunk", "id", "id", true},
    {"address_chunk", "id", "id", true},
    {"rollup_hour", "hour_ms, spec_id, model_id", NULL, false},
    {"change", "seq", "seq", false},
    {"change_start", "seq", NULL, false},
    {"archive", "id", "id", true},
    {"user", "id", "id", true},
    {"session", "digest", NULL, false},
    {"token", "id", "id", true},
    {"score_window", "model_id, spec_id, day_ms", NULL, false},
    {"comparison", "day_ms, spec_id, active_id, shadow_id", NULL, false},
    {"difference", "id", "id", true},
    {"counter", "name", NULL, false},
    {"notice", "id", "id", true},
    {"worker", "uid", NULL, false},
    {"arrival_source", "source", NULL, false},
    {"arrival_lag", "hour_ms, source", NULL, false},
    {"arrival_hour", "hour_ms, source, region, account", NULL, false},
};
const size_t COPIED_TABLE_COUNT = ARRAY_LEN(COPIED_TABLES);
