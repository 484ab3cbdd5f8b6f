#pragma once
/* The state of the queue at a glance. Ages and the last 24 hours are measured from the newest
 * observation, so that a lake read late reads the same. */
#include "base/err.h"
#include "base/ip.h"
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

enum { SUMMARY_AGES = 4, SUMMARY_TOP = 10, SUMMARY_SPECS_MAX = 100 };
extern const char *const SUMMARY_AGE_WORDS[]; /* under_1h under_1d under_7d older */

struct summary_entity {
    const char *entity;
    int64_t findings;
    double max_percentile;
};
struct summary_network {
    struct cidr network; /* /24 or /48 */
    int64_t findings, entities;
};
struct summary {
    int64_t by_status[4];
    int64_t open_by_age[SUMMARY_AGES];
    int64_t flagged_24h, observations_24h;
    struct summary_entity top_entities[SUMMARY_TOP]; /* of open findings */
    size_t top_entity_count;
    struct summary_network top_networks[SUMMARY_TOP];
    size_t top_network_count;
    const char **specs;
    size_t spec_count;
    int64_t newest_observation, first_observation; /* FIELD_NULL_INT = none */
    int64_t objects_failed, last_seq;
};
/* spec NULL = all. */
NODISCARD enum err_code summary_get(struct db *db, struct arena *arena, const char *spec,
                                    struct summary *ret, struct err *err);
