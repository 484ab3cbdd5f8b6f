#pragma once
/* A row of the table observation that is not packed yet, as it is read to be. Private to store/. */
#include <stdint.h>

#include "base/field.h"
#include "base/ip.h"

struct observation;

struct staged_row {
    int64_t id, entity_id;
    struct ip ip;
    int64_t spec_id, model_id, object_id, first_ms, last_ms, count;
    double score, percentile;
    int64_t unanswered;
};
extern const struct field STAGED_FIELDS[];
struct observation staged_observation(const struct staged_row *row);
