#pragma once
/* Steps of retention.c that have files of their own. Inside a writer's job. Private to store/. */
#include "store/retention.h"

/* Hours before this may lack observations from now on. */
NODISCARD enum err_code retention_whole_since(struct db *db, int64_t ms, struct err *err);

/* Chunks, then rows that are not packed; to the archive when that is asked for. */
NODISCARD enum err_code retention_step_observations(struct db *db, struct retention_step *step,
                                                    struct err *err);

/* The hours of a day become its first; *ret_gone rows went. */
NODISCARD enum err_code retention_fold_day(struct db *db, int64_t day_ms, int64_t *ret_gone,
                                           struct err *err);

struct retention_rollups { /* before a time */
    int64_t rows, observations, flagged, first;
};
NODISCARD enum err_code retention_rollups(struct db *db, int64_t before_ms,
                                          struct retention_rollups *ret, struct err *err);
