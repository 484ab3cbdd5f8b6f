#pragma once
/* What a profile is gathered in. Private to profile.c and profile_give.c. */
#include "store/pair_run.h"
#include "store/profile.h"

struct partner {
    int64_t entity_id;
    struct profile_partner seen;
    int64_t told_ms; /* when its percentile was; INT64_MIN: never */
};
struct spec_sum {
    int64_t id;
    struct profile_spec seen;
};
struct gathering {
    struct db *db;
    struct arena *arena;
    struct profile *result;
    int64_t until_mono_ms;
    struct pair_key key; /* by entity: partners are addresses; or entities */
    int64_t since_ms;    /* what was last seen before it was let go of */
    uint32_t *slots;     /* index into partners + 1; 0 = free */
    struct partner *partners;
    struct spec_sum specs[PROFILE_SPECS];
};

static inline bool is_of_entity(const struct gathering *all)
{
    return all->key.order == PAIRS_BY_ENTITY;
}

/* What was gathered, sorted, summed up, cut and named: partners are in another order then. */
NODISCARD enum err_code profile_give(struct gathering *all, struct err *err);
