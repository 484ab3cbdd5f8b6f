#pragma once
/* Models whose scores are stored. An outside detector's model has thresholds and no calibration. */
#include "base/err.h"
#include "base/field.h"
#include "store/window.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;

enum { MODEL_ROW_QUANTILES = 1001 };

struct model_spec_row {
    const char *spec;
    double threshold;
    int64_t sample_size;
    const float *quantiles; /* MODEL_ROW_QUANTILES, ascending; NULL = none */
    /* What a day looked like in training; NULL and NAN when that is not known. */
    const float *usual_quantiles;
    double unknown_share, unseen_share;
    struct window_rule rule; /* how the threshold was set */
};
struct model_row {
    const char *id, *detector;
    const char *info; /* JSON object */
    const char *path; /* as struct model_seat has it */
    int64_t registered, last_used;
    int64_t state, activated; /* enum model_state; the last time it became active */
    const struct model_spec_row *specs;
    size_t spec_count;
};
struct model_row_list {
    struct model_row *items;
    size_t count;
};
enum { MODEL_ROWS_MAX = 1000, MODEL_SPEC_ROWS_MAX = 100 /* of one model */ };

/* Last used first. */
NODISCARD enum err_code model_row_list(struct db *db, struct arena *arena,
                                       struct model_row_list *ret, struct err *err);
/* ERR_NOT_FOUND when it is not registered. */
NODISCARD enum err_code model_row_get(struct db *db, struct arena *arena, const char *id,
                                      struct model_row *ret, struct err *err);
/* Where a score stands among the quantiles of the spec, 0..100; NAN without them. */
double model_row_percentile(const struct model_spec_row *spec, double score);
const struct model_spec_row *model_row_spec(const struct model_row *model, const char *spec);

/* What entities with history are flagged above on a day: by the rolling window of the days before
 * it where that tells enough, by the model's own threshold otherwise. *ret_window, in the arena,
 * has days == 0 without one. */
NODISCARD enum err_code model_row_threshold(struct db *db, struct arena *arena,
                                            const struct model_row *model,
                                            const struct model_spec_row *spec, int64_t day_ms,
                                            struct window *ret_window, double *ret,
                                            bool *ret_by_window, struct err *err);

struct model_register_job { /* a writer_job: model_register_job_run */
    const char *actor;
    struct model_row model; /* path and registered to activated are ignored */
    int64_t now_ms;
};
/* A model already registered gains the specs and the rules it lacks; nothing else of it changes. */
enum err_code model_register_job_run(struct db *db, void *job, struct err *err);
