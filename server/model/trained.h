#pragma once
/* What training makes, from the beginning or from a model that learns on. Private to this folder.
 */
#include "model/calibrate.h"
#include "model/learn.h"

struct trained {
    struct learned learned;
    struct calibration calibration;
    char *hyperparameters_json, *metrics_json;
    bool recalibrated; /* the tree is the base's */
};

/* A set of the pairs, in memory. */
NODISCARD enum err_code train_set_of(const struct train_pair *pairs, size_t count,
                                     struct train_set **ret, struct err *err);
/* Of one of the two trainings; the caller frees. */
char *train_checkpoint_name(const char *checkpoint, bool calibrating);
