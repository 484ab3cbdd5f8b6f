#pragma once
/* The flagged pairs of one batch that belong to one finding, made into a new finding or added to
 * the one there is. Private to ingest; inside a writer's job. */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct arena;
struct db;
struct scored_pair;

struct sighting_group {
    int64_t spec_id, entity_id, model_id;
    const struct scored_pair *highest; /* of the group's pairs */
    int64_t first_ms, last_ms;
    int64_t sightings, events;
    const char *actor;
    int64_t now_ms;
};

/* One change row. *ret_new: the finding was made. */
NODISCARD enum err_code sighting_group_store(struct db *db, struct arena *arena,
                                             const struct sighting_group *group, int64_t *ret_id,
                                             bool *ret_new, struct err *err);
