#pragma once
/* Calibration: what a model that did not see the newest fifth makes of it. Private to this
 * folder. */
#include "model/learn.h"

struct str;

struct calibration {
    struct spec_part *specs; /* one per spec, by name; owned */
    size_t spec_count;
    uint64_t held_out,
        unknown_entities;            /* pairs of the newest fifth; of entities not seen before */
    double auc_random, auc_shuffled; /* told from drawn negatives; NAN without a sample */
};

/* Of an ordered set that is not empty. Errors are learn's. */
NODISCARD enum err_code calibrate(struct train_set *set, const struct train_options *options,
                                  struct calibration *ret, struct err *err);
/* By what base makes of pairs that it has not learned: as train_set_update says. */
NODISCARD enum err_code calibrate_update(const struct model *base, struct train_set *set,
                                         const struct train_options *options,
                                         struct calibration *ret, struct err *err);

/* Sorts values, at least one. */
void calibrate_quantiles(double *values, size_t count, float ret[static MODEL_QUANTILES]);
/* The score that rank of them are above, or fewer when some are equal. */
double calibrate_nth_highest(const double *ascending, size_t count, size_t rank);
/* How many of the distinct pairs may pass. */
size_t calibrate_wanted(const struct threshold_rule *rule, size_t distinct, int64_t span_ms);
void calibration_done(struct calibration *calibration); /* accepts a zeroed one */
