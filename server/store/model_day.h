#pragma once
/* What a model did day by day, and how far each day is from those of training. */
#include "store/drift.h"

struct arena;
struct db;

struct model_day {
    const struct model_spec_row *spec; /* of the model given */
    int64_t day_ms;                    /* UTC */
    int64_t observations, flagged;
    int64_t findings; /* first seen on this day, scored by this model */
    struct drift drift;
};
struct model_day_list {
    struct model_day *items;
    size_t count;
};
enum { MODEL_DAYS_MAX = 31 };

/* By spec, then day; days without data are left out. [since, until): whole days, MODEL_DAYS_MAX at
 * most. */
NODISCARD enum err_code model_day_list(struct db *db, struct arena *arena,
                                       const struct model_row *model, int64_t since_ms,
                                       int64_t until_ms, struct model_day_list *ret,
                                       struct err *err);
