#pragma once
/* Between trainings, percentiles and thresholds follow what the model's scores were of late: a
 * rolling window of the store by spec (store/window.h), of the days before this one, read anew
 * every WINDOWS_READ_MS. It counts for entities with history, and only as far as it can tell: a
 * percentile once it has WINDOW_SAMPLE_MIN pairs, a threshold where ten of its sample lie above.
 * Until then, and for a threshold that was given as a score, the model's own calibration holds. One
 * thread. */
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct db;
struct model_set;
struct window;
struct windows;

enum { WINDOWS_READ_MS = 60 * 1000 };

struct windows *windows_new(void);
void windows_freep(struct windows **windows); /* accepts a pointer to NULL */
/* Reads them for the set unless that was done a short while ago. */
NODISCARD enum err_code windows_read(struct windows *windows, struct db *db,
                                     const struct model_set *set, struct err *err);
struct windows_verdict {
    double percentile, threshold;
    bool flagged;
};
/* What the window of the spec, by its name in the lake, makes of a score: what it tells is changed
 * in the verdict. Returns the window that gave the threshold, which lives until the next
 * windows_read; NULL when none did. windows may be NULL. */
const struct window *windows_judge(const struct windows *windows, const char *spec, double score,
                                   struct windows_verdict *verdict);
