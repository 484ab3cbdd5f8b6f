#pragma once
/* The flagged pairs of one batch by finding: each group is made into a new finding or added to the
 * one there is. Private to ingest; inside a writer's job. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
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
    /* Set by sighting_groups_store. */
    int64_t finding_id;
    bool is_new; /* the finding was made */
};

/* Every group is another finding. One change row each, in their order. The arena is the batch's. */
NODISCARD enum err_code sighting_groups_store(struct db *db, struct arena *arena,
                                              struct sighting_group *groups, size_t count,
                                              struct err *err);
