#pragma once
/* Learning on, day by day: once a day is over, what was observed since the active model learned
 * goes into a new one, which becomes active. What triage speaks against is left out
 * (store/training.h), and the model before stays for a rollback. */
#include "base/err.h"
#include "model/train.h"
#include <stdatomic.h>
#include <stdbool.h>

struct writer;

struct learn_options {
    const char *database_url;
    const char *folder; /* of new model files: DAY-ID.model */
    struct threshold_rule threshold;
    struct writer *writer;
    const atomic_bool *stop;
};
enum { LEARN_CHECK_MS = 60 * 1000 };

/* Makes the folder when it is not there. ERR_IO when no model can be written into it: told when the
 * worker starts rather than a day later. */
NODISCARD enum err_code learn_folder_make(const char *folder, struct err *err);
/* Learns the days before that of now_ms, when the active model has not learned them and anything
 * was observed. *ret_learned: a new model is active. */
NODISCARD enum err_code learn_days(const struct learn_options *options, int64_t now_ms,
                                   bool *ret_learned, struct err *err);
/* Every LEARN_CHECK_MS until stopped; a failure is logged and tried again. */
void learn_loop(const struct learn_options *options);
